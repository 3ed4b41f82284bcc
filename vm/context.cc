#include "vm/context.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "gc/check.h"
#include "gc/poison.h"

namespace weft {
namespace {

// Blocks of the first size, which most contexts keep for good: cut from larger pieces that are
// never given back. (Not where AddressSanitizer should know where one ends. Huge pages were tried:
// the kernel clears them more slowly than it hands out small ones.)
class FirstBlocks {
 public:
  gc::Word* Take() {
    if (free_ != nullptr) {
      FreeBlock* taken = free_;
      free_ = taken->next;
      return reinterpret_cast<gc::Word*>(taken);
    }
    if (left_ == 0 && !NextPiece()) return nullptr;
    --left_;
    gc::Word* taken = next_;
    next_ += Context::kInitialWords;
    return taken;
  }
  void Give(gc::Word* block) { free_ = new (block) FreeBlock{free_}; }

 private:
  struct FreeBlock {
    FreeBlock* next;
  };
  static constexpr size_t kBytes = Context::kInitialWords * sizeof(gc::Word);
  static constexpr size_t kPieceBytes = size_t{16} << 10;

  bool NextPiece() {
    next_ = static_cast<gc::Word*>(std::malloc(kPieceBytes));
    if (next_ == nullptr) return false;
    left_ = kPieceBytes / kBytes;
    return true;
  }

  FreeBlock* free_ = nullptr;
  gc::Word* next_ = nullptr;
  size_t left_ = 0;
};

FirstBlocks first_blocks;

bool IsPooled(size_t words) { return !gc::kAlwaysPoison && words == Context::kInitialWords; }

gc::Word* AllocateWords(size_t words) {
  if (IsPooled(words)) return first_blocks.Take();
  return static_cast<gc::Word*>(std::malloc(words * sizeof(gc::Word)));
}

void FreeWords(gc::Word* block, size_t words) {
  if (block != nullptr && IsPooled(words)) {
    first_blocks.Give(block);
  } else {
    std::free(block);
  }
}

}  // namespace

void Context::AllocateBlock(size_t words) {
  block = AllocateWords(words);
  WEFT_CHECK(block != nullptr);
  block_end = block + words;
  window = block;
  call_top = call_end();
}

void Context::FreeBlock() {
  FreeWords(block, block_words());
  block = block_end = window = nullptr;
  call_top = nullptr;
}

bool Context::EnsureRoom(size_t words) {
  const ptrdiff_t free_words = reinterpret_cast<gc::Word*>(call_top) - window;
  const ptrdiff_t wanted = static_cast<ptrdiff_t>(words + kRedZoneWords);
  if (free_words >= wanted) return true;
  const size_t old_words = block_words();
  const size_t missing = static_cast<size_t>(wanted - free_words);
  const size_t limit = kMaxWords + (overflowed ? kOverflowMarginWords : 0);
  if (old_words + missing > limit) return false;
  size_t new_words = old_words * 2;
  while (new_words < old_words + missing) new_words *= 2;
  if (new_words > limit) new_words = limit;

  gc::Word* larger = AllocateWords(new_words);
  if (larger == nullptr) return false;
  // The frame that runs may use slots above `window`, so everything below the call stack is copied.
  const size_t data_words = static_cast<size_t>(reinterpret_cast<gc::Word*>(call_top) - block);
  const size_t call_words = old_words - data_words;
  std::memcpy(larger, block, data_words * sizeof(gc::Word));
  std::memcpy(larger + new_words - call_words, call_top, call_words * sizeof(gc::Word));
  window = larger + (window - block);
  FreeWords(block, old_words);
  block = larger;
  block_end = larger + new_words;
  call_top = reinterpret_cast<uint64_t*>(block_end) - call_words;
  return true;
}

}  // namespace weft
