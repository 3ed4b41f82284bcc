// Image: the compacted heap as a file that is mapped at kImageBase, privately, and never written
// except for the pages that the program itself writes (copy on write).
//
// Format, widths and version: docs/image-format.md. The objects that the given roots reach are
// copied, in a deterministic order (breadth first from the roots, then what only cold slots reach;
// of each part, objects without references last), to kImageBase...; the cell space is written as it
// is, at its own addresses. Errors: absl::Status with what was wrong in the file (wrong id,
// truncated, checksum); nothing is mapped then.
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
  std::vector<Word> roots;     // in the order the VM saved them
  std::vector<Word> first;     // when saving: objects to lay out before all others, as they come
  uint64_t cell_bytes = 0;     // used part of the cell space, from kCellBase
  uint64_t user_data[8] = {};  // counters of the VM (next shape, ...); not the identity counter,
                               // which gc/ saves itself
};

// Where the objects go. Valid while SaveImage runs.
class ImageMap {
 public:
  virtual ~ImageMap() = default;
  // The new address of an address at or inside an object; 0 if no object of the image is there.
  [[nodiscard]] virtual uint64_t Forward(uint64_t address) const = 0;
  // The new word: non-pointers as they are; f for an object that is not in the image.
  [[nodiscard]] Word ForwardWord(Word word) const {
    if (!word.IsPointer()) return word;
    uint64_t address = Forward(word.bits - 1);
    return address == 0 ? kFalse : Word{address | 1};
  }
};

// What only the VM knows. Each may be null; none may allocate.
struct ImageHooks {
  // Is what this slot refers to rarely looked at? What only such slots reach lies behind the rest,
  // so that a small program does not touch its pages.
  bool (*is_cold)(const Object* holder, const Word* slot) = nullptr;
  // Called for every copied object of the shapes that have a trace hook, after its traced words
  // were rewritten: puts new addresses into untraced words that hold raw addresses inside heap
  // objects (return addresses). Cells keep their addresses.
  void (*relocate_object)(Object* copy, const ImageMap& map, void* data) = nullptr;
  // Rewrites the copy of the cell space's first `bytes`: references to words and code. Cells whose
  // owner is not in the image (Forward gives 0) are to be freed.
  void (*relocate_cells)(uint8_t* copy, uint64_t bytes, const ImageMap& map, void* data) = nullptr;
  void* data = nullptr;
};

// Writes the image beside `path` and renames it, so that a reader sees all or nothing. Collects.
// parts.roots are read before that collection; they are rooted meanwhile.
absl::Status SaveImage(Heap& heap, const std::string& path, absl::string_view id,
                       const ImageParts& parts,
                       const ImageHooks& hooks = ImageHooks()) WEFT_ALLOCATES;

// Maps the image into a heap that has none yet and no objects of shapes it does not know; the
// identity counter goes on where it stood. `id` must equal the one in the file. The header is
// always checked; `verify_checksum` reads the whole file.
absl::StatusOr<ImageParts> LoadImage(Heap& heap, const std::string& path, absl::string_view id,
                                     bool verify_checksum);

}  // namespace weft::gc

#endif  // WEFT_GC_IMAGE_H_
