#include "vm/regexps.h"

#include <re2/re2.h>

#include <utility>

namespace weft {
namespace {

// A program that makes ever new expressions must not keep them all.
constexpr size_t kMostCompiled = 256;

re2::RE2::Options MakeOptions() {
  re2::RE2::Options options;
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  options.set_longest_match(true);
  options.set_log_errors(false);
  options.set_never_capture(true);
  return options;
}

}  // namespace

Regexps::Regexps() = default;
Regexps::~Regexps() = default;

const re2::RE2* Regexps::Find(absl::string_view pattern) {
  auto at = compiled_.find(pattern);
  if (at == compiled_.end()) {
    if (compiled_.size() >= kMostCompiled) compiled_.clear();
    auto expression =
        std::make_unique<re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()), MakeOptions());
    at = compiled_.emplace(std::string(pattern), std::move(expression)).first;
  }
  return at->second->ok() ? at->second.get() : nullptr;
}

}  // namespace weft
