// Bytes that wait: appended at the end, taken from the front, sometimes put back there.
// Holds no memory while empty, but for a little that is kept for the next message.
// Units: bytes. Errors: none; callers bound what they append.
#ifndef WEFT_VM_IO_BYTE_QUEUE_H_
#define WEFT_VM_IO_BYTE_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace weft::io {

class ByteQueue {
 public:
  [[nodiscard]] size_t size() const { return bytes_.size() - begin_; }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] const char* data() const { return bytes_.data() + begin_; }
  // Position of the first byte in everything that ever went through.
  [[nodiscard]] uint64_t position() const { return position_; }
  [[nodiscard]] uint64_t end_position() const { return position_ + size(); }

  void Append(const void* bytes, size_t size) {
    Compact();
    bytes_.append(static_cast<const char*>(bytes), size);
  }
  // The string to append to; valid until the next call.
  std::string& tail() {
    Compact();
    return bytes_;
  }
  void Prepend(const void* bytes, size_t size) {
    if (begin_ >= size) {
      begin_ -= size;
      bytes_.replace(begin_, size, static_cast<const char*>(bytes), size);
    } else {
      bytes_.replace(0, begin_, static_cast<const char*>(bytes), size);
      begin_ = 0;
    }
    position_ -= size;
  }
  // REQUIRES: n <= size().
  void Consume(size_t n) {
    begin_ += n;
    position_ += n;
    if (begin_ == bytes_.size()) {
      begin_ = 0;
      if (bytes_.capacity() > kKept) {
        std::string().swap(bytes_);
      } else {
        bytes_.clear();
      }
    }
  }
  void Clear() { Consume(size()); }
  // Moves everything out.
  std::string Take() {
    position_ += size();
    std::string taken = std::move(bytes_);
    if (begin_ > 0) taken.erase(0, begin_);
    bytes_ = std::string();
    begin_ = 0;
    return taken;
  }

 private:
  static constexpr size_t kKept = 1024;
  // Taken bytes in front cost nothing until they are most of the string.
  void Compact() {
    if (begin_ > 4096 && begin_ > bytes_.size() / 2) {
      bytes_.erase(0, begin_);
      begin_ = 0;
    }
  }

  std::string bytes_;
  size_t begin_ = 0;
  uint64_t position_ = 0;
};

}  // namespace weft::io

#endif  // WEFT_VM_IO_BYTE_QUEUE_H_
