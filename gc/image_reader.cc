// LoadImage: looks at everything the header says before anything is mapped.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "gc/image.h"
#include "gc/image_format.h"
#include "gc/spaces.h"

namespace weft::gc {

class ImageReader {
 public:
  ImageReader(Heap& heap, const std::string& path) : heap_(heap), path_(path) {}
  ~ImageReader() {
    if (fd_ >= 0) close(fd_);
  }
  absl::StatusOr<ImageParts> Load(absl::string_view id, bool verify_checksum);

 private:
  absl::Status Corrupt(absl::string_view what) const {
    return absl::DataLossError(absl::StrCat("the image ", path_, " is damaged: ", what));
  }
  // Reads exactly `bytes` at `offset`.
  bool ReadAt(uint64_t offset, void* to, size_t bytes) const;
  absl::Status ReadHeader(absl::string_view id);
  absl::Status CheckSizes() const;
  absl::Status VerifyBody() const;
  absl::Status Map();

  Heap& heap_;
  const std::string& path_;
  int fd_ = -1;
  uint64_t file_bytes_ = 0;
  ImageHeader header_;
};

bool ImageReader::ReadAt(uint64_t offset, void* to, size_t bytes) const {
  char* at = static_cast<char*>(to);
  while (bytes > 0) {
    ssize_t n = pread(fd_, at, bytes, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    offset += static_cast<uint64_t>(n);
    bytes -= static_cast<size_t>(n);
  }
  return true;
}

absl::Status ImageReader::ReadHeader(absl::string_view id) {
  fd_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open the image ", path_));
  struct stat info;
  if (fstat(fd_, &info) != 0 || !S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path_, " is not a file"));
  }
  file_bytes_ = static_cast<uint64_t>(info.st_size);
  alignas(8) char page[kPageBytes];
  if (file_bytes_ < kPageBytes || !ReadAt(0, page, kPageBytes)) {
    return Corrupt("it is shorter than its header");
  }
  std::memcpy(static_cast<void*>(&header_), page, sizeof(header_));
  if (std::memcmp(header_.magic, kImageMagic, sizeof(kImageMagic)) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(path_, " is not an image"));
  }
  if (header_.version != kImageVersion) {
    return absl::FailedPreconditionError(absl::StrCat("the image ", path_, " has format version ",
                                                      header_.version, ", not ", kImageVersion));
  }
  uint64_t stored = header_.header_checksum;
  std::memset(page + offsetof(ImageHeader, header_checksum), 0, sizeof(stored));
  ImageChecksum sum;
  sum.Add(page, kPageBytes);
  if (sum.Finish() != stored) return Corrupt("its header's checksum differs");
  if (header_.id_bytes > kImageIdBytes) return Corrupt("its id is too long");
  if (absl::string_view(header_.id, header_.id_bytes) != id) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the image ", path_, " was made by another build (its id is \"",
        absl::string_view(header_.id, header_.id_bytes), "\", this build's is \"", id, "\")"));
  }
  return CheckSizes();
}

absl::Status ImageReader::CheckSizes() const {
  const ImageHeader& h = header_;
  if (h.header_bytes != kPageBytes || h.base != kImageBase) return Corrupt("foreign address");
  // Each bound is checked before it is used in a sum, so nothing overflows.
  if (h.object_bytes > kImageSpan || h.cell_bytes > kCellSpan || h.start_count > kImageSpan ||
      h.root_count > kImageSpan || h.cell_offset > kImageSpan || h.object_bytes % 8 != 0) {
    return Corrupt("a size is out of range");
  }
  uint64_t objects_end = kPageBytes + h.object_bytes;
  uint64_t cards = RoundUp(objects_end, CardTable::kCardBytes) >> CardTable::kCardShift;
  if (h.start_offset != objects_end || h.start_count != cards ||
      h.root_offset != RoundUp(h.start_offset + h.start_count * 4, 8) ||
      h.cell_offset != RoundUp(h.root_offset + h.root_count * 8, kPageBytes) ||
      h.file_bytes != h.cell_offset + RoundUp(h.cell_bytes, kPageBytes) ||
      h.hot_pages > h.file_bytes / kPageBytes) {
    return Corrupt("its sections do not fit together");
  }
  if (file_bytes_ < h.file_bytes) {
    return Corrupt(absl::StrCat("it is truncated, ", file_bytes_, " bytes of ", h.file_bytes));
  }
  if (file_bytes_ > h.file_bytes) return Corrupt("it is longer than it says");
  return absl::OkStatus();
}

absl::Status ImageReader::VerifyBody() const {
  constexpr size_t kChunk = size_t{1} << 18;
  auto buffer = std::make_unique<char[]>(kChunk);
  ImageChecksum sum;
  for (uint64_t at = kPageBytes; at < header_.file_bytes;) {
    size_t n = static_cast<size_t>(std::min<uint64_t>(kChunk, header_.file_bytes - at));
    if (!ReadAt(at, buffer.get(), n)) return Corrupt("it cannot be read to its end");
    sum.Add(buffer.get(), n);
    at += n;
  }
  if (sum.Finish() != header_.body_checksum) return Corrupt("its checksum differs");
  return absl::OkStatus();
}

absl::Status ImageReader::Map() {
  auto map = [&](uint64_t address, uint64_t bytes, uint64_t offset) {
    return bytes == 0 ||
           mmap(reinterpret_cast<void*>(address), bytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_FIXED, fd_, static_cast<off_t>(offset)) != MAP_FAILED;
  };
  uint64_t cell_bytes = RoundUp(header_.cell_bytes, kPageBytes);
  if (!map(kImageBase, header_.cell_offset, 0)) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot map the image ", path_));
  }
  if (!map(kCellBase, cell_bytes, header_.cell_offset)) {
    int error = errno;
    // NOLINTNEXTLINE(bugprone-unused-return-value): the old mapping is given up either way
    mmap(reinterpret_cast<void*>(kImageBase), header_.cell_offset, PROT_NONE,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    return absl::ErrnoToStatus(error, absl::StrCat("cannot map the cells of ", path_));
  }
  // What is rarely looked at is not read ahead, nor mapped with what is used beside it.
  const uint64_t cold = kImageBase + uint64_t{header_.hot_pages} * kPageBytes;
  const uint64_t tables = RoundDown(kImageBase + header_.start_offset, kPageBytes);
  if (cold < tables) {
    (void)madvise(reinterpret_cast<void*>(cold), tables - cold, MADV_RANDOM);
  }
  Heap::Spaces& spaces = *heap_.spaces_;
  spaces.image.begin = kImageBase + kPageBytes;
  spaces.image.end = spaces.image.begin + header_.object_bytes;
  spaces.image.starts = reinterpret_cast<const uint32_t*>(kImageBase + header_.start_offset);
  spaces.cell_bytes = cell_bytes;
  heap_.identity_counter_ = static_cast<uint32_t>(header_.identity_counter);
  return absl::OkStatus();
}

absl::StatusOr<ImageParts> ImageReader::Load(absl::string_view id, bool verify_checksum) {
  Heap::Spaces& spaces = *heap_.spaces_;
  if (spaces.image.end != 0 || spaces.cell_bytes != 0) {
    return absl::FailedPreconditionError("the heap has an image or cells already");
  }
  absl::Status status = ReadHeader(id);
  if (status.ok() && verify_checksum) status = VerifyBody();
  if (status.ok()) status = Map();
  if (!status.ok()) return status;
  ImageParts parts;
  parts.cell_bytes = header_.cell_bytes;
  std::memcpy(parts.user_data, header_.user_data, sizeof(parts.user_data));
  const auto* roots = reinterpret_cast<const Word*>(kImageBase + header_.root_offset);
  parts.roots.assign(roots, roots + header_.root_count);
  return parts;
}

absl::StatusOr<ImageParts> LoadImage(Heap& heap, const std::string& path, absl::string_view id,
                                     bool verify_checksum) {
  return ImageReader(heap, path).Load(id, verify_checksum);
}

}  // namespace weft::gc
