// A shared library of the system that is opened when a program first needs it, and the functions
// taken from it. Weft itself needs none of them to start.
//
// Each user has a struct of function pointers and binds them by name, once; where the library or
// one of the functions lacks, `problem()` says so in words a user can act on.
// Used by the VM thread; the functions bound may be called from any thread that the library allows.
#ifndef WEFT_VM_FFI_LIBRARY_H_
#define WEFT_VM_FFI_LIBRARY_H_

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"

namespace weft::ffi {

class Library {
 public:
  // `names`: file names in the order of trial. `package`: what to install when all lack.
  Library(std::initializer_list<const char*> names, const char* package);

  template <class Function>
  void Bind(Function** function, const char* name) {
    *function = reinterpret_cast<Function*>(Find(name));
  }
  // Empty: all is there.
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  void* Find(const char* name);

  void* handle_ = nullptr;
  std::string file_;
  std::string problem_;
};

// Objects of a library that a program holds by number. A number is never given twice.
template <class T>
class Table {
 public:
  int64_t Add(std::shared_ptr<T> object) {
    objects_.emplace(++last_, std::move(object));
    return last_;
  }
  std::shared_ptr<T> Find(int64_t number) const {
    const auto at = objects_.find(number);
    return at == objects_.end() ? nullptr : at->second;
  }
  void Remove(int64_t number) { objects_.erase(number); }

 private:
  absl::flat_hash_map<int64_t, std::shared_ptr<T>> objects_;
  int64_t last_ = 0;
};

}  // namespace weft::ffi

#endif  // WEFT_VM_FFI_LIBRARY_H_
