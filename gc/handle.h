// Roots as types: Root holds one heap word across allocations; RootVector holds many.
//
// Both register with the heap, are visited by every collection and live on the C++ stack (Root) or
// in C++ objects that live as long as the heap (RootVector). Reading the word needs the no-alloc
// capability, so a raw word cannot be held over an allocation (gc/no_alloc.h).
#ifndef WEFT_GC_HANDLE_H_
#define WEFT_GC_HANDLE_H_

#include <cstddef>
#include <vector>

#include "gc/heap.h"
#include "gc/no_alloc.h"
#include "gc/word.h"

namespace weft::gc {

// Intrusive doubly linked list of everything rooted from C++.
class RootBase {
 public:
  RootBase(const RootBase&) = delete;
  RootBase& operator=(const RootBase&) = delete;

 protected:
#if defined(__GNUC__) && !defined(__clang__)
// The list holds addresses of local variables by design; the destructor takes them out.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdangling-pointer"
#endif
  RootBase(Heap& heap, Word* first, size_t count) : first_(first), count_(count), heap_(&heap) {
    next_ = heap.root_head_;
    if (next_ != nullptr) next_->previous_ = this;
    heap.root_head_ = this;
  }
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
  ~RootBase() {
    if (next_ != nullptr) next_->previous_ = previous_;
    if (previous_ != nullptr) {
      previous_->next_ = next_;
    } else {
      heap_->root_head_ = next_;
    }
  }
  mutable Word* first_;
  mutable size_t count_;
  Heap* heap_;

 private:
  friend class Heap;
  friend class MinorCollector;
  friend class HeapVerifier;
  // Mutable: a root may be declared const, and still the collector moves what it refers to and its
  // neighbours come and go. Without it the compiler may keep the words of a const root in
  // registers.
  mutable RootBase* next_ = nullptr;
  mutable RootBase* previous_ = nullptr;
};

class Root : public RootBase {
 public:
  Root(Heap& heap, Word word) : RootBase(heap, &word_, 1), word_(word) {}
  explicit Root(Heap& heap) : Root(heap, kFalse) {}
  Word get() const WEFT_NO_ALLOC { return word_; }
  void set(Word word) { word_ = word; }
  bool is_false() const { return word_ == kFalse; }

 private:
  mutable Word word_;  // as above
};

class RootVector : public RootBase {
 public:
  explicit RootVector(Heap& heap) : RootBase(heap, nullptr, 0) {}
  size_t size() const { return words_.size(); }
  bool empty() const { return words_.empty(); }
  Word get(size_t i) const WEFT_NO_ALLOC { return words_[i]; }
  void set(size_t i, Word word) { words_[i] = word; }
  Word* data() { return words_.data(); }
  void push_back(Word word) {
    words_.push_back(word);
    Sync();
  }
  void resize(size_t n) {
    words_.resize(n, kFalse);
    Sync();
  }

 private:
  void Sync() {
    first_ = words_.data();
    count_ = words_.size();
  }
  std::vector<Word> words_;
};

}  // namespace weft::gc

#endif  // WEFT_GC_HANDLE_H_
