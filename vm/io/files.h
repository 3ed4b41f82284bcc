// Calls of the system on paths and names that may take long (a slow disk, a slow name server):
// plain C++ data in and out, run on a helper thread.
// Errors: errno in `error`; look-ups: the code of getaddrinfo, negative, in `error`.
#ifndef WEFT_VM_IO_FILES_H_
#define WEFT_VM_IO_FILES_H_

#include <cstdint>
#include <string>
#include <vector>

namespace weft::io {

// What a call answers, in the order it is to have in the language's array.
struct FileValue {
  enum class Kind : uint8_t { kFalse, kTrue, kNumber, kText, kBytes } kind = Kind::kFalse;
  int64_t number = 0;
  std::string text;
  static FileValue Number(int64_t number) { return {Kind::kNumber, number, {}}; }
  static FileValue Text(std::string text) { return {Kind::kText, 0, std::move(text)}; }
  static FileValue Bool(bool value) { return {value ? Kind::kTrue : Kind::kFalse, 0, {}}; }
};

struct FileJob {
  std::string operation;
  std::string path, path2;  // path2: also the bytes to write
  int64_t number = 0, number2 = 0;
  uint64_t most_bytes = 0;  // a file of more is an error, EFBIG
  // The answer: one value, or an array of them.
  int error = 0;
  bool is_array = false;
  std::vector<FileValue> values;
};

// Whether there is such an operation.
bool IsFileOperation(const std::string& name);
// On whatever thread: it blocks.
void RunFileJob(FileJob& job);

}  // namespace weft::io

#endif  // WEFT_VM_IO_FILES_H_
