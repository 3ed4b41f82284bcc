#include "vm/ffi/library.h"

#include <dlfcn.h>

#include "absl/strings/str_cat.h"

namespace weft::ffi {

Library::Library(std::initializer_list<const char*> names, const char* package) {
  for (const char* name : names) {
    handle_ = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (handle_ != nullptr) {
      file_ = name;
      return;
    }
    if (file_.empty()) file_ = name;
  }
  problem_ =
      absl::StrCat("The library ", file_, " cannot be opened; install the package ", package);
}

void* Library::Find(const char* name) {
  if (handle_ == nullptr) return nullptr;
  void* function = dlsym(handle_, name);
  if (function == nullptr && problem_.empty()) {
    problem_ = absl::StrCat("The library ", file_, " has no function ", name);
  }
  return function;
}

}  // namespace weft::ffi
