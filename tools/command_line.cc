#include "tools/command_line.h"

#include <algorithm>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace weft {
namespace {

enum class Type { kFlag, kCount, kText };

struct Row {
  absl::string_view flag;
  Type type;
  absl::string_view help;
};

constexpr Row kRows[] = {
#define OPTION(name, flag, type, default_value, help) {flag, Type::k##type, help},
#include "vm/options.def"
#undef OPTION
};

// Number of single-letter edits between two words.
// Source: Wagner and Fischer, "The string-to-string correction problem", 1974.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

// Options that no person types.
bool IsInternal(const Row& row) { return row.flag == "--sibling"; }

absl::Status UnknownOption(absl::string_view option) {
  const Row* nearest = nullptr;
  size_t best = 4;
  for (const Row& row : kRows) {
    if (IsInternal(row)) continue;
    const size_t distance = EditDistance(option, row.flag);
    if (distance < best) {
      best = distance;
      nearest = &row;
    }
  }
  std::string text = absl::StrCat("unknown option ", option);
  if (nearest != nullptr) absl::StrAppend(&text, "; did you mean ", nearest->flag, "?");
  return absl::InvalidArgumentError(text);
}

absl::Status ParseValue(absl::string_view flag, absl::string_view text, std::string* value) {
  (void)flag;
  // -I may be given several times: the roots are kept apart by newlines.
  if (flag == "-I" && !value->empty()) {
    absl::StrAppend(value, "\n", text);
  } else {
    *value = std::string(text);
  }
  return absl::OkStatus();
}

absl::Status ParseValue(absl::string_view flag, absl::string_view text, uint64_t* value) {
  absl::string_view digits = text;
  uint64_t unit = 1;
  if (!digits.empty()) {
    switch (digits.back()) {
      case 'K':
      case 'k':
        unit = uint64_t{1} << 10;
        break;
      case 'M':
      case 'm':
        unit = uint64_t{1} << 20;
        break;
      case 'G':
      case 'g':
        unit = uint64_t{1} << 30;
        break;
      default:
        break;
    }
    if (unit != 1) digits.remove_suffix(1);
  }
  uint64_t number = 0;
  if (digits.empty() || !absl::SimpleAtoi(digits, &number) || number > UINT64_MAX / unit) {
    return absl::InvalidArgumentError(
        absl::StrCat(flag, " takes a number, which may end in K, M or G; found \"", text, "\""));
  }
  *value = number * unit;
  return absl::OkStatus();
}

[[maybe_unused]] absl::Status ParseValue(absl::string_view, absl::string_view, bool*) {
  return absl::InternalError("a flag has no value");
}

}  // namespace

absl::StatusOr<Options> ParseCommandLine(int argc, char** argv) {
  Options options;
  int i = 1;
  for (; i < argc; ++i) {
    const absl::string_view word = argv[i];
    if (word == "--") {
      ++i;
      break;
    }
    if (word.size() < 2 || word[0] != '-') break;  // a file, a command, or - for standard input
    const size_t equals = word.find('=');
    const bool has_value = word[1] == '-' && equals != absl::string_view::npos;
    const absl::string_view flag = has_value ? word.substr(0, equals) : word;
    bool known = false;
#define OPTION(name, row_flag, type, default_value, help)                                \
  if (flag == row_flag) {                                                                \
    known = true;                                                                        \
    if constexpr (Type::k##type == Type::kFlag) {                                        \
      if (has_value) {                                                                   \
        return absl::InvalidArgumentError(absl::StrCat(flag, " takes no value"));        \
      }                                                                                  \
      SetFlag(&options.name);                                                            \
    } else {                                                                             \
      absl::string_view text;                                                            \
      if (has_value) {                                                                   \
        text = word.substr(equals + 1);                                                  \
      } else if (absl::string_view(row_flag) == "--gc-stress") {                         \
        text = "1"; /* its value is optional: every allocation */                        \
      } else if (i + 1 < argc) {                                                         \
        text = argv[++i];                                                                \
      } else {                                                                           \
        return absl::InvalidArgumentError(absl::StrCat(flag, " needs a value: ", help)); \
      }                                                                                  \
      if (absl::Status status = ParseValue(flag, text, &options.name); !status.ok())     \
        return status;                                                                   \
    }                                                                                    \
  }
    const auto SetFlag = [](auto* value) { *value = true; };
#include "vm/options.def"
#undef OPTION
    if (!known) return UnknownOption(flag);
    // The code is the program: what follows are its arguments.
    if (flag == "-e") {
      ++i;
      break;
    }
  }
  for (; i < argc; ++i) options.arguments.emplace_back(argv[i]);
  return options;
}

constexpr size_t kTerminalWidth = 80;

std::string HelpText() {
  std::string text =
      "usage: weft [OPTION...] FILE [ARGUMENT...]   run a program (-: standard input)\n"
      "       weft [OPTION...] -e CODE [ARGUMENT...]\n"
      "       weft [OPTION...] COMMAND ...; weft alone opens the prompt\n"
      "\n"
      "  run VOCABULARY [ARGUMENT...]    run its MAIN: word: weft -I . run my-thing\n"
      "  test PATH|VOCABULARY...         run tests: --jobs N --seed N --timeout S --tap\n"
      "  help [NAME...]                  what words and vocabularies do: weft help map\n"
      "  check [--strict] FILE...        errors, what nothing uses, what hides names\n"
      "  fmt [--check] PATH...           indent and wrap source text: weft fmt src\n"
      "  new NAME                        begin a vocabulary with tests and help: weft new "
      "my-thing\n"
      "  doc [--to FOLDER] [NAME...]     write the help as HTML: weft doc --to site\n"
      "  profile [--every N] [--flame SVG] [--reading] FILE    where instructions go\n"
      "  disasm [--counts] FILE|WORD     bytecode: weft disasm map\n"
      "  repl                            the prompt: weft repl\n"
      "\n";
  for (const Row& row : kRows) {
    if (IsInternal(row)) continue;
    std::string line = absl::StrFormat("  %-14s %s", row.flag, row.help);
    // A help text that shows no use of its flag.
    if (row.help.find(absl::StrCat(": ", row.flag)) == absl::string_view::npos &&
        row.help.find(": weft ") == absl::string_view::npos) {
      const bool alone = row.flag == "--help" || row.flag == "--version";
      const std::string whole = absl::StrCat(": weft ", row.flag, alone ? "" : " f.weft");
      const bool fits = line.size() + whole.size() <= kTerminalWidth;
      absl::StrAppend(&line, fits ? whole : absl::StrCat(": ", row.flag));
    }
    absl::StrAppend(&text, line, "\n");
  }
  absl::StrAppend(&text,
                  "\nexit codes: 0 done, 1 error, 2 usage, 3 deadlock, 4 --strict-exit, "
                  "128+n signal n\n");
  return text;
}

}  // namespace weft
