// The layout of an image file, shared by its writer and reader. docs/image-format.md describes it.
#ifndef WEFT_GC_IMAGE_FORMAT_H_
#define WEFT_GC_IMAGE_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "gc/address_space.h"

namespace weft::gc {

inline constexpr uint32_t kImageVersion = 2;
inline constexpr char kImageMagic[8] = {'W', 'E', 'F', 'T', 'I', 'M', 'G', '\n'};
inline constexpr size_t kImageIdBytes = 256;

struct ImageHeader {
  char magic[8];
  uint32_t version;
  uint32_t header_bytes;  // kPageBytes: the objects begin there
  uint64_t base;          // address the file's first byte is mapped at
  uint64_t object_bytes;
  uint64_t start_offset, start_count;  // uint32_t each
  uint64_t root_offset, root_count;    // words
  uint64_t cell_offset, cell_bytes;    // cell_offset is a multiple of the page size
  uint64_t file_bytes;                 // a multiple of the page size
  uint64_t identity_counter;
  uint64_t user_data[8];
  uint64_t body_checksum;  // of everything behind the header page
  uint32_t id_bytes;
  uint32_t hot_pages;  // of the file: the header and the objects that are not cold
  char id[kImageIdBytes];
  uint64_t header_checksum;  // of the header page with this field 0
};
static_assert(sizeof(ImageHeader) <= kPageBytes);

// A 64-bit hash over 8-byte words in order; any single changed bit changes it, since each step is
// a bijection of the state for a given word and of the word for a given state.
class ImageChecksum {
 public:
  // REQUIRES: bytes is a multiple of 8.
  void Add(const void* data, size_t bytes) {
    const char* at = static_cast<const char*>(data);
    for (size_t i = 0; i < bytes; i += 8) {
      uint64_t word;
      std::memcpy(&word, at + i, 8);
      state_ = (state_ ^ word) * 0x9FB21C651E98DF25;
      state_ ^= state_ >> 32;
    }
  }
  [[nodiscard]] uint64_t Finish() const {
    uint64_t z = state_ * 0xD6E8FEB86659FD93;
    return z ^ (z >> 29);
  }

 private:
  uint64_t state_ = 0x243F6A8885A308D3;
};

inline uint64_t HeaderChecksum(ImageHeader header) {
  header.header_checksum = 0;
  alignas(8) char page[kPageBytes] = {};
  std::memcpy(page, &header, sizeof(header));
  ImageChecksum sum;
  sum.Add(page, sizeof(page));
  return sum.Finish();
}

}  // namespace weft::gc

#endif  // WEFT_GC_IMAGE_FORMAT_H_
