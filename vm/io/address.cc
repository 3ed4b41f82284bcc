#include "vm/io/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace weft::io {
namespace {

template <class Sockaddr>
std::string BytesOf(const Sockaddr& address) {
  return std::string(reinterpret_cast<const char*>(&address), sizeof(address));
}

template <class Sockaddr>
bool Read(absl::string_view bytes, Sockaddr* address) {
  if (bytes.size() < sizeof(*address)) return false;
  std::memcpy(address, bytes.data(), sizeof(*address));
  return true;
}

constexpr size_t kPathOffset = offsetof(sockaddr_un, sun_path);

}  // namespace

bool MakeInternetAddress(int family, absl::string_view host, int port, std::string* address) {
  if (port < 0 || port > 65535) return false;
  if (family == AF_INET) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(static_cast<uint16_t>(port));
    if (!host.empty() && inet_pton(AF_INET, std::string(host).c_str(), &in.sin_addr) != 1) {
      return false;
    }
    *address = BytesOf(in);
    return true;
  }
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(static_cast<uint16_t>(port));
  const size_t percent = host.find('%');
  if (percent != absl::string_view::npos) {
    const std::string scope(host.substr(percent + 1));
    uint32_t index;
    if (!absl::SimpleAtoi(scope, &index)) index = if_nametoindex(scope.c_str());
    in.sin6_scope_id = index;
    host = host.substr(0, percent);
  }
  if (!host.empty() && inet_pton(AF_INET6, std::string(host).c_str(), &in.sin6_addr) != 1) {
    return false;
  }
  *address = BytesOf(in);
  return true;
}

bool MakeLocalAddress(absl::string_view path, std::string* address) {
  const bool abstract = !path.empty() && path[0] == '@';
  if (path.empty() || path.size() + (abstract ? 0 : 1) > sizeof(sockaddr_un{}.sun_path)) {
    return false;
  }
  const sa_family_t family = AF_UNIX;
  address->assign(reinterpret_cast<const char*>(&family), sizeof(family));
  if (abstract) {
    address->push_back('\0');
    absl::StrAppend(address, path.substr(1));
  } else {
    absl::StrAppend(address, path);
    address->push_back('\0');
  }
  return true;
}

AddressParts PartsOfAddress(absl::string_view address) {
  AddressParts parts;
  sa_family_t family;
  if (!Read(address, &family)) return parts;
  parts.family = family;
  char text[INET6_ADDRSTRLEN] = "";
  if (family == AF_INET) {
    sockaddr_in in;
    if (!Read(address, &in)) return parts;
    inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text));
    parts.host = text;
    parts.port = ntohs(in.sin_port);
  } else if (family == AF_INET6) {
    sockaddr_in6 in;
    if (!Read(address, &in)) return parts;
    inet_ntop(AF_INET6, &in.sin6_addr, text, sizeof(text));
    parts.host = text;
    if (in.sin6_scope_id != 0) absl::StrAppend(&parts.host, "%", in.sin6_scope_id);
    parts.port = ntohs(in.sin6_port);
  } else if (family == AF_UNIX && address.size() > kPathOffset) {
    absl::string_view path = address.substr(kPathOffset);
    if (path[0] == '\0') {
      parts.host = absl::StrCat("@", path.substr(1));
    } else {
      parts.host = std::string(path.substr(0, path.find('\0')));
    }
  }
  return parts;
}

std::string FormatAddress(absl::string_view address) {
  const AddressParts parts = PartsOfAddress(address);
  switch (parts.family) {
    case AF_INET:
      return absl::StrCat(parts.host, ":", parts.port);
    case AF_INET6:
      return absl::StrCat("[", parts.host, "]:", parts.port);
    case AF_UNIX:
      return parts.host.empty() ? "a Unix socket" : parts.host;
    default:
      return "?";
  }
}

std::string AddressBytes(const sockaddr_storage& storage, socklen_t size) {
  return std::string(reinterpret_cast<const char*>(&storage),
                     std::min<size_t>(size, sizeof(storage)));
}

}  // namespace weft::io
