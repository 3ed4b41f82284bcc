#include "compiler/boot_lexer.h"

#include "absl/strings/str_cat.h"
#include "vm/strings.h"

namespace weft {
namespace {

bool IsBlank(char c) { return static_cast<unsigned char>(c) <= ' '; }

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Reads the escape that follows a backslash at text[i]; moves i behind it. -1: no such escape.
int64_t ReadEscape(absl::string_view text, size_t& i) {
  if (i >= text.size()) return -1;
  const char c = text[i++];
  switch (c) {
    case 'a':
      return 7;
    case 'b':
      return 8;
    case 'e':
      return 27;
    case 'f':
      return 12;
    case 'n':
      return 10;
    case 'r':
      return 13;
    case 's':
      return ' ';
    case 't':
      return 9;
    case 'v':
      return 11;
    case '0':
      return 0;
    case '\\':
      return '\\';
    case '"':
      return '"';
    case '\'':
      return '\'';
    default:
      break;
  }
  if (c != 'x' && c != 'u') return -1;
  const bool braced = c == 'u' && i < text.size() && text[i] == '{';
  if (braced) ++i;
  const size_t digits = c == 'x' ? 2 : 6;
  int64_t value = 0;
  size_t count = 0;
  while (i < text.size() && (braced || count < digits)) {
    const int digit = HexDigit(text[i]);
    if (digit < 0) break;
    value = value * 16 + digit;
    ++i;
    if (++count > 6) return -1;
  }
  if (count == 0 || value > kMaxCodePoint) return -1;
  if (braced) {
    if (i >= text.size() || text[i] != '}') return -1;
    ++i;
  } else if (count != digits) {
    return -1;
  }
  return value;
}

class Lexer {
 public:
  Lexer(absl::string_view source, std::vector<std::string>& errors)
      : source_(source), errors_(errors) {}

  std::vector<BootToken> Run() {
    std::vector<BootToken> tokens;
    while (true) {
      while (i_ < source_.size() && IsBlank(source_[i_])) Advance();
      if (i_ >= source_.size()) return tokens;
      BootToken token;
      token.line = line_;
      token.column = column_;
      // After these the next token is taken as it is, even a quote or an exclamation mark.
      const bool raw = !tokens.empty() && !tokens.back().is_string && IsQuoter(tokens.back().text);
      if (!raw && source_[i_] == '"') {
        token.is_string = true;
        ReadString(token);
        tokens.push_back(std::move(token));
        continue;
      }
      while (i_ < source_.size() && !IsBlank(source_[i_])) {
        token.text.push_back(source_[i_]);
        Advance();
      }
      if (!raw && (token.text == "!" || token.text == "#!" || token.text.substr(0, 2) == "#!")) {
        while (i_ < source_.size() && source_[i_] != '\n') Advance();
        continue;
      }
      tokens.push_back(std::move(token));
    }
  }

 private:
  static bool IsQuoter(const std::string& text) {
    return text == "\\" || text == "CHAR:" || text == "POSTPONE:" || text == "SYNTAX:" ||
           text == "DEFER:";
  }

  void Advance() {
    const char c = source_[i_++];
    if (c == '\n') {
      ++line_;
      column_ = 1;
    } else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) {
      ++column_;
    }
  }

  void ReadString(BootToken& token) {
    Advance();
    while (i_ < source_.size() && source_[i_] != '"') {
      if (source_[i_] != '\\') {
        token.text.push_back(source_[i_]);
        Advance();
        continue;
      }
      const uint32_t line = line_;
      const uint32_t column = column_;
      Advance();
      if (i_ < source_.size() && source_[i_] == '\n') {  // a continued line
        Advance();
        continue;
      }
      size_t end = i_;
      const int64_t code_point = ReadEscape(source_, end);
      if (code_point < 0) {
        errors_.push_back(absl::StrCat(line, ":", column, ": bad escape in a string"));
      } else {
        AppendUtf8(static_cast<uint32_t>(code_point), token.text);
      }
      while (i_ < end) Advance();
    }
    if (i_ >= source_.size()) {
      errors_.push_back(absl::StrCat(token.line, ":", token.column, ": unfinished string"));
      return;
    }
    Advance();
  }

  absl::string_view source_;
  std::vector<std::string>& errors_;
  size_t i_ = 0;
  uint32_t line_ = 1;
  uint32_t column_ = 1;
};

}  // namespace

std::vector<BootToken> LexBootSource(absl::string_view source, std::vector<std::string>& errors) {
  return Lexer(source, errors).Run();
}

int64_t BootCharacter(absl::string_view text) {
  if (text.empty()) return -1;
  size_t i = 0;
  if (text[0] == '\\' && text.size() > 1) {
    i = 1;
    const int64_t code_point = ReadEscape(text, i);
    return i == text.size() ? code_point : -1;
  }
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const uint32_t code_point = DecodeUtf8(bytes, text.size(), i);
  return i == text.size() ? int64_t{code_point} : -1;
}

}  // namespace weft
