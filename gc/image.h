// Image: the compacted heap as a file that is mapped at kImageBase, privately, and never written
// except for the pages that the program itself writes (copy on write).
//
// Format, widths and version: docs/image-format.md. Objects that survive a full collection are
// copied, in a deterministic order (breadth first from the roots), to kImageBase...; the cell space
// is written as it is. Errors: absl::Status with what was wrong in the file (wrong id, truncated,
// checksum); nothing is mapped then.
#ifndef WEFT_GC_IMAGE_H_
#define WEFT_GC_IMAGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gc/heap.h"

namespace weft::gc {

struct ImageParts {
  std::vector<Word> roots;        // in the order the VM saved them
  uint64_t cell_bytes = 0;        // used part of the cell space
  uint64_t user_data[8] = {};     // counters of the VM (next shape, identity hash, ...)
};

// `relocate_raw` is called for every copied object of shapes that hold raw addresses of heap
// objects or cells in untraced words, with the old and the new place.
absl::Status SaveImage(Heap& heap, const std::string& path, absl::string_view id, const ImageParts& parts);
// Maps the image; afterwards the heap's image space is set. `id` must equal the one in the file.
absl::StatusOr<ImageParts> LoadImage(Heap& heap, const std::string& path, absl::string_view id,
                                     bool verify_checksum);

}  // namespace weft::gc

#endif  // WEFT_GC_IMAGE_H_
