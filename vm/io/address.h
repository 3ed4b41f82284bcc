// Socket addresses as the system's own bytes (sockaddr), in std::strings and byte arrays.
// Errors: false or empty for text that is no address.
#ifndef WEFT_VM_IO_ADDRESS_H_
#define WEFT_VM_IO_ADDRESS_H_

#include <sys/socket.h>

#include <string>

#include "absl/strings/string_view.h"

namespace weft::io {

// Numeric hosts only; an empty one means every address of this machine. %scope may follow IPv6.
bool MakeInternetAddress(int family, absl::string_view host, int port, std::string* address);
// A path, or with @ in front a name in the abstract name space. False: too long.
bool MakeLocalAddress(absl::string_view path, std::string* address);

struct AddressParts {
  int family = AF_UNSPEC;
  std::string host;  // or the path
  int port = 0;
};
AddressParts PartsOfAddress(absl::string_view address);

// "127.0.0.1:80", "[::1]:80", a path, "@name"; "?" for anything else.
std::string FormatAddress(absl::string_view address);

std::string AddressBytes(const sockaddr_storage& storage, socklen_t size);

}  // namespace weft::io

#endif  // WEFT_VM_IO_ADDRESS_H_
