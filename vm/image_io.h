// The VM's part of an image: which roots and counters it holds, and how raw addresses inside
// objects and cells are found. The format of the file is gc/'s (docs/image-format.md).
//
// The id is made from the lists and the version, so that another build's image is refused with a
// clear error. Errors: absl::Status; nothing is mapped then.
#ifndef WEFT_VM_IMAGE_IO_H_
#define WEFT_VM_IMAGE_IO_H_

#include <string>

#include "absl/status/status.h"
#include "gc/handle.h"
#include "gc/no_alloc.h"

namespace weft {

class Vm;

// The id that this binary's images carry.
std::string ImageId();

// `first`: an array of objects that a start touches, or f. They lie together in the image.
absl::Status SaveVmImage(Vm& vm, const std::string& path, const gc::Root& first) WEFT_ALLOCATES;

// Fills a fresh VM (Vm::Create, no cells attached yet). `foreign`: not the image built with the
// binary, so its checksum is read and its bytecode verified.
absl::Status LoadVmImage(Vm& vm, const std::string& path, bool foreign) WEFT_ALLOCATES;

}  // namespace weft

#endif  // WEFT_VM_IMAGE_IO_H_
