// The sections of roots as an enumeration; the list is roots.def.
#ifndef WEFT_GC_ROOTS_H_
#define WEFT_GC_ROOTS_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace weft::gc {

enum class RootSection : size_t {
#define ROOT(name, text) k##name,
#include "gc/roots.def"
#undef ROOT
  kCount,
};
inline constexpr size_t kRootSections = static_cast<size_t>(RootSection::kCount);

inline constexpr const char* kRootSectionNames[kRootSections] = {
#define ROOT(name, text) text,
#include "gc/roots.def"
#undef ROOT
};

inline RootSection RootSectionOf(absl::string_view name) {
  for (size_t i = 0; i < kRootSections; ++i) {
    if (name == kRootSectionNames[i]) return static_cast<RootSection>(i);
  }
  return RootSection::kOther;
}

}  // namespace weft::gc

#endif  // WEFT_GC_ROOTS_H_
