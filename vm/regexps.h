// Expressions of the library RE2, compiled when they are first used and kept.
//
// The language translates a regular expression into RE2's syntax (stdlib/regexp/translation); the
// longest of the leftmost matches is wanted. A text has one byte for each character, of 0..255.
// Used by the VM thread. Errors: what RE2 cannot compile is a nullptr.
#ifndef WEFT_VM_REGEXPS_H_
#define WEFT_VM_REGEXPS_H_

#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace re2 {
class RE2;
}  // namespace re2

namespace weft {

class Regexps {
 public:
  Regexps();
  ~Regexps();
  // Valid until the next call.
  const re2::RE2* Find(absl::string_view pattern);

 private:
  absl::flat_hash_map<std::string, std::unique_ptr<re2::RE2>> compiled_;
};

}  // namespace weft

#endif  // WEFT_VM_REGEXPS_H_
