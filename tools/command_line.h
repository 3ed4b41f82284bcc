// The command line: options from vm/options.def, then a file or command and its arguments.
//
// Options stand before the file; everything from the first word that is none belongs to the
// program. Errors: absl::InvalidArgumentError with one line for the user, the nearest option
// suggested where one is near.
#ifndef WEFT_TOOLS_COMMAND_LINE_H_
#define WEFT_TOOLS_COMMAND_LINE_H_

#include <string>

#include "absl/status/statusor.h"
#include "vm/options.h"

namespace weft {

absl::StatusOr<Options> ParseCommandLine(int argc, char** argv);

// The text of --help.
std::string HelpText();

}  // namespace weft

#endif  // WEFT_TOOLS_COMMAND_LINE_H_
