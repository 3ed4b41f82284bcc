// Options of one VM, made from options.def.
#ifndef WEFT_VM_OPTIONS_H_
#define WEFT_VM_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace weft {

using OptionFlag = bool;
using OptionCount = uint64_t;
using OptionText = std::string;

struct Options {
#define OPTION(name, flag, type, default_value, help) Option##type name = default_value;
#include "vm/options.def"
#undef OPTION
  std::vector<std::string> arguments;  // what follows the options: file and its arguments
};

}  // namespace weft

#endif  // WEFT_VM_OPTIONS_H_
