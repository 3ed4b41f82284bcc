// Surroundings that are the same wherever an image is built.
//
// An image is to depend on the library alone, byte for byte. While it is made a start is rehearsed
// (bootstrap.rehearsal), and what a start does depends on the variables of the environment, on what
// kind of file each standard stream is, and on the current folder.
#ifndef WEFT_TOOLS_SURROUNDINGS_H_
#define WEFT_TOOLS_SURROUNDINGS_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace weft {

struct Surroundings {
  // Set in the process that was called, once the one inside has ended: its exit status.
  std::optional<int> exit_status;
};

// REQUIRES: the standard streams are open. Returns twice. First in a new process: it has no
// variables, an empty standard input, pipes for output and errors, and `folder` as its current one.
// Then, when that has ended, in the caller's, which has passed on what was written.
absl::StatusOr<Surroundings> EnterOwnSurroundings(const std::string& folder);

}  // namespace weft

#endif  // WEFT_TOOLS_SURROUNDINGS_H_
