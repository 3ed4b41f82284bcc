// SaveImage: two passes over the objects that the roots reach. The first decides the order, hence
// every new address; the second copies each object into a buffer and rewrites its references.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "gc/handle.h"
#include "gc/image.h"
#include "gc/image_format.h"
#include "gc/spaces.h"

namespace weft::gc {
namespace {

// Where a file is written at once, kernels keep it in pieces of up to 2 MiB, and touching any byte
// of such a piece maps all of it. Small writes make small pieces, so that a process only has what
// is near to what it uses.
constexpr size_t kWriteBytes = size_t{16} << 10;

}  // namespace

class ImageWriter final : public ImageMap {
 public:
  ImageWriter(Heap& heap, const ImageHooks& hooks) : heap_(heap), hooks_(hooks) {}

  absl::Status Write(const std::string& path, absl::string_view id,
                     const ImageParts& parts) WEFT_NO_ANALYSIS;

  [[nodiscard]] uint64_t Forward(uint64_t address) const override {
    auto found = map_.find(address);
    if (found != map_.end()) return found->second;
    Object* object = heap_.FindObject(address);
    if (object == nullptr) return 0;
    uint64_t start = reinterpret_cast<uint64_t>(object);
    found = map_.find(start);
    return found == map_.end() ? 0 : found->second + (address - start);
  }

 private:
  // Pass 1: gives every object met for the first time the next address.
  class Enqueuer final : public SlotVisitor {
   public:
    explicit Enqueuer(ImageWriter& writer) : writer_(writer) {}
    void Visit(Word* slot) override {
      if (!slot->IsPointer()) return;
      const auto is_cold = writer_.hooks_.is_cold;
      if (holder != nullptr && is_cold != nullptr && is_cold(holder, slot)) {
        cold.push_back(slot->Address());
      } else {
        writer_.Enqueue(slot->Address());
      }
    }
    void VisitInterior(uint64_t address) override {
      Object* object = writer_.heap_.FindObject(address);
      if (object != nullptr) writer_.Enqueue(reinterpret_cast<uint64_t>(object));
    }

    const Object* holder = nullptr;  // whose slots are visited
    std::vector<uint64_t> cold;      // addresses found in cold slots

   private:
    ImageWriter& writer_;
  };
  // Pass 2: rewrites the slots of a copy.
  class Rewriter final : public SlotVisitor {
   public:
    explicit Rewriter(const ImageWriter& writer) : writer_(writer) {}
    void Visit(Word* slot) override { *slot = writer_.ForwardWord(*slot); }
    void VisitInterior(uint64_t) override {}  // the hook's work

   private:
    const ImageWriter& writer_;
  };

  void Enqueue(uint64_t address) {
    auto [entry, fresh] = map_.try_emplace(address, next_);
    if (!fresh) return;
    auto* object = reinterpret_cast<Object*>(address);
    next_ += heap_.SizeOf(object);
    order_.push_back(object);
  }
  // Objects without references go behind the others, among those up to `hot` and among the rest;
  // the first ones stay where they are.
  void MoveLeavesBehind(size_t first, size_t hot);
  void CopyObjects(char* file) WEFT_NO_ANALYSIS;
  absl::Status WriteFile(const std::string& path, const std::string& file);

  Heap& heap_;
  const ImageHooks& hooks_;
  absl::flat_hash_map<uint64_t, uint64_t> map_;
  std::vector<Object*> order_;
  uint64_t next_ = kImageBase + kPageBytes;
  uint64_t hot_end_ = 0;  // address behind the last object that is not cold
};

void ImageWriter::MoveLeavesBehind(size_t first, size_t hot) {
  const ShapeTable& shapes = heap_.spaces_->shapes;
  const auto has_references = [&](const Object* object) {
    return ShapeTable::HasReferences(shapes.Of(object));
  };
  const auto middle = order_.begin() + static_cast<ptrdiff_t>(hot);
  std::stable_partition(order_.begin() + static_cast<ptrdiff_t>(first), middle, has_references);
  std::stable_partition(middle, order_.end(), has_references);
  next_ = kImageBase + kPageBytes;
  for (size_t i = 0; i < order_.size(); ++i) {
    if (i == hot) hot_end_ = next_;
    map_[reinterpret_cast<uint64_t>(order_[i])] = next_;
    next_ += heap_.SizeOf(order_[i]);
  }
  if (hot == order_.size()) hot_end_ = next_;
}

void ImageWriter::CopyObjects(char* file) {
  Rewriter rewriter(*this);
  const ShapeTable& shapes = heap_.spaces_->shapes;
  char* at = file + kPageBytes;
  for (Object* object : order_) {
    size_t bytes = shapes.SizeOf(object);
    std::memcpy(at, object, bytes);
    auto* copy = reinterpret_cast<Object*>(at);
    const LayoutDescriptor& layout = shapes.Of(copy);
    if (layout.weak) rewriter.Visit(copy->field(0));
    shapes.Trace(copy, rewriter);
    if (layout.trace != nullptr && hooks_.relocate_object != nullptr) {
      hooks_.relocate_object(copy, *this, hooks_.data);
    }
    at += bytes;
  }
}

absl::Status ImageWriter::Write(const std::string& path, absl::string_view id,
                                const ImageParts& parts) {
  if (id.size() > kImageIdBytes) return absl::InvalidArgumentError("the image's id is too long");
  {
    RootVector roots(heap_);
    RootVector first(heap_);
    for (Word root : parts.roots) roots.push_back(root);
    for (Word object : parts.first) first.push_back(object);
    heap_.CollectFull();  // empties the nursery; mature objects do not move
    Enqueuer enqueuer(*this);
    for (size_t i = 0; i < first.size(); ++i) {
      Word object = first.get(i);
      enqueuer.Visit(&object);
    }
    const size_t first_count = order_.size();
    for (size_t i = 0; i < roots.size(); ++i) {
      Word root = roots.get(i);
      enqueuer.Visit(&root);
    }
    size_t traced = 0;
    const auto trace_all = [&] {
      for (; traced < order_.size(); ++traced) {
        enqueuer.holder = order_[traced];
        heap_.spaces_->shapes.Trace(order_[traced], enqueuer);
      }
    };
    trace_all();
    const size_t hot = order_.size();
    // These may add further cold ones.
    for (size_t i = 0; i < enqueuer.cold.size(); ++i) {
      Enqueue(enqueuer.cold[i]);
      trace_all();
    }
    MoveLeavesBehind(first_count, hot);

    ImageHeader header;
    std::memset(static_cast<void*>(&header), 0, sizeof(header));
    std::memcpy(header.magic, kImageMagic, sizeof(header.magic));
    header.version = kImageVersion;
    header.header_bytes = kPageBytes;
    header.base = kImageBase;
    header.object_bytes = next_ - kImageBase - kPageBytes;
    header.start_offset = kPageBytes + header.object_bytes;
    header.start_count =
        RoundUp(header.start_offset, CardTable::kCardBytes) >> CardTable::kCardShift;
    header.root_offset = RoundUp(header.start_offset + header.start_count * 4, 8);
    header.root_count = roots.size();
    header.cell_offset = RoundUp(header.root_offset + header.root_count * 8, kPageBytes);
    header.cell_bytes = parts.cell_bytes;
    header.file_bytes = header.cell_offset + RoundUp(header.cell_bytes, kPageBytes);
    header.hot_pages =
        static_cast<uint32_t>(RoundUp(hot_end_ - kImageBase, kPageBytes) / kPageBytes);
    header.identity_counter = heap_.identity_counter_;
    std::memcpy(header.user_data, parts.user_data, sizeof(header.user_data));
    header.id_bytes = static_cast<uint32_t>(id.size());
    std::memcpy(header.id, id.data(), id.size());
    if (header.cell_offset > kImageSpan || header.cell_bytes > kCellSpan) {
      return absl::ResourceExhaustedError("the image would be larger than its address range");
    }

    std::string file(header.file_bytes, '\0');
    CopyObjects(file.data());
    auto* starts = reinterpret_cast<uint32_t*>(file.data() + header.start_offset);
    size_t card = kPageBytes >> CardTable::kCardShift;
    for (Object* object : order_) {
      uint64_t start = map_[reinterpret_cast<uint64_t>(object)] - kImageBase;
      uint64_t end = start + heap_.SizeOf(object);
      for (; card < header.start_count && card << CardTable::kCardShift < end; ++card) {
        starts[card] = static_cast<uint32_t>(start / 8);
      }
    }
    auto* saved_roots = reinterpret_cast<Word*>(file.data() + header.root_offset);
    for (size_t i = 0; i < roots.size(); ++i) saved_roots[i] = ForwardWord(roots.get(i));
    if (header.cell_bytes != 0) {
      auto* cells = reinterpret_cast<uint8_t*>(file.data() + header.cell_offset);
      std::memcpy(cells, reinterpret_cast<const void*>(kCellBase), header.cell_bytes);
      if (hooks_.relocate_cells != nullptr) {
        hooks_.relocate_cells(cells, header.cell_bytes, *this, hooks_.data);
      }
    }
    ImageChecksum sum;
    sum.Add(file.data() + kPageBytes, file.size() - kPageBytes);
    header.body_checksum = sum.Finish();
    header.header_checksum = HeaderChecksum(header);
    std::memcpy(file.data(), &header, sizeof(header));
    return WriteFile(path, file);
  }
}

absl::Status ImageWriter::WriteFile(const std::string& path, const std::string& file) {
  std::string temporary = absl::StrCat(path, ".", getpid(), ".tmp");
  int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot create ", temporary));
  size_t done = 0;
  while (done < file.size()) {
    ssize_t n = write(fd, file.data() + done, std::min(file.size() - done, kWriteBytes));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<size_t>(n);
  }
  int error = done < file.size() ? (errno != 0 ? errno : EIO) : 0;
  if (close(fd) != 0 && error == 0) error = errno;
  if (error == 0 && std::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    unlink(temporary.c_str());
    return absl::ErrnoToStatus(error, absl::StrCat("cannot write ", path));
  }
  return absl::OkStatus();
}

absl::Status SaveImage(Heap& heap, const std::string& path, absl::string_view id,
                       const ImageParts& parts, const ImageHooks& hooks) {
  return ImageWriter(heap, hooks).Write(path, id, parts);
}

}  // namespace weft::gc
