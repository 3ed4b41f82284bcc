// Tokens of a source file, for the build of the image only: whitespace-separated words, strings
// with their escapes resolved, comments dropped. Run-time lexing is language code.
#ifndef WEFT_COMPILER_BOOT_LEXER_H_
#define WEFT_COMPILER_BOOT_LEXER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace weft {

struct BootToken {
  std::string text;        // UTF-8
  bool is_string = false;  // text is a string's content
  uint32_t line = 0;       // from 1
  uint32_t column = 0;     // from 1, in code points
};

// Appends "line:column: message" to `errors` for what cannot be read and goes on behind it.
std::vector<BootToken> LexBootSource(absl::string_view source, std::vector<std::string>& errors);

// The code point of what follows CHAR: (one code point, or an escape); -1 if it is neither.
int64_t BootCharacter(absl::string_view text);

}  // namespace weft

#endif  // WEFT_COMPILER_BOOT_LEXER_H_
