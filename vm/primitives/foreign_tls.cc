// Primitives of libssl. A connection is a pure machine between two memory buffers: what came from
// the peer is fed to it, what it wants sent is drained from it, and the sockets stay the I/O
// proxy's. So none of these calls ever waits.
#include <climits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "vm/ffi/library.h"
#include "vm/ffi/operands.h"
#include "vm/number/number.h"
#include "vm/primitives.h"

namespace weft {
namespace {

using ffi::Library;
using ffi::Table;

using PasswordCallback = int(char* buffer, int size, int writing, void* data);

struct Tls {
  Library crypto{{"libcrypto.so.3", "libcrypto.so.1.1"}, "libssl3"};
  Library ssl{{"libssl.so.3", "libssl.so.1.1"}, "libssl3"};
  const void* (*client_method)();
  const void* (*server_method)();
  void* (*new_context)(const void* method);
  void (*free_context)(void* context);
  long (*context_control)(void* context, int command, long value, void* pointer);  // NOLINT
  int (*set_default_paths)(void* context);
  int (*load_locations)(void* context, const char* file, const char* path);
  int (*use_chain)(void* context, const char* file);
  int (*use_key)(void* context, const char* file, int type);
  void (*set_password)(void* context, PasswordCallback* callback);
  void (*set_password_data)(void* context, void* data);
  void (*set_verify)(void* context, int mode, void* callback);
  int (*set_ciphers)(void* context, const char* list);
  void* (*new_connection)(void* context);
  void (*free_connection)(void* ssl);
  long (*connection_control)(void* ssl, int command, long value, void* pointer);  // NOLINT
  void (*set_bios)(void* ssl, void* in, void* out);
  void (*set_connect)(void* ssl);
  void (*set_accept)(void* ssl);
  int (*handshake)(void* ssl);
  int (*read)(void* ssl, void* buffer, int size);
  int (*write)(void* ssl, const void* buffer, int size);
  int (*shutdown)(void* ssl);
  int (*get_error)(const void* ssl, int result);
  long (*verify_result)(const void* ssl);  // NOLINT
  int (*set_host)(void* ssl, const char* name);
  const char* (*version)(const void* ssl);
  const void* (*cipher)(const void* ssl);
  const char* (*cipher_name)(const void* cipher);
  void* (*new_bio)(const void* method);
  const void* (*memory_method)();
  int (*bio_read)(void* bio, void* data, int size);
  int (*bio_write)(void* bio, const void* data, int size);
  long (*bio_control)(void* bio, int command, long value, void* pointer);  // NOLINT
  unsigned long (*next_error)();                                           // NOLINT
  void (*error_text)(unsigned long error, char* buffer, size_t size);      // NOLINT
  void (*clear_errors)();
  const char* (*verify_text)(long code);  // NOLINT
  void* (*host_parameters)(void* ssl);
  int (*set_ip)(void* parameters, const char* ip);

  Tls() {
    ssl.Bind(&client_method, "TLS_client_method");
    ssl.Bind(&server_method, "TLS_server_method");
    ssl.Bind(&new_context, "SSL_CTX_new");
    ssl.Bind(&free_context, "SSL_CTX_free");
    ssl.Bind(&context_control, "SSL_CTX_ctrl");
    ssl.Bind(&set_default_paths, "SSL_CTX_set_default_verify_paths");
    ssl.Bind(&load_locations, "SSL_CTX_load_verify_locations");
    ssl.Bind(&use_chain, "SSL_CTX_use_certificate_chain_file");
    ssl.Bind(&use_key, "SSL_CTX_use_PrivateKey_file");
    ssl.Bind(&set_password, "SSL_CTX_set_default_passwd_cb");
    ssl.Bind(&set_password_data, "SSL_CTX_set_default_passwd_cb_userdata");
    ssl.Bind(&set_verify, "SSL_CTX_set_verify");
    ssl.Bind(&set_ciphers, "SSL_CTX_set_cipher_list");
    ssl.Bind(&new_connection, "SSL_new");
    ssl.Bind(&free_connection, "SSL_free");
    ssl.Bind(&connection_control, "SSL_ctrl");
    ssl.Bind(&set_bios, "SSL_set_bio");
    ssl.Bind(&set_connect, "SSL_set_connect_state");
    ssl.Bind(&set_accept, "SSL_set_accept_state");
    ssl.Bind(&handshake, "SSL_do_handshake");
    ssl.Bind(&read, "SSL_read");
    ssl.Bind(&write, "SSL_write");
    ssl.Bind(&shutdown, "SSL_shutdown");
    ssl.Bind(&get_error, "SSL_get_error");
    ssl.Bind(&verify_result, "SSL_get_verify_result");
    ssl.Bind(&set_host, "SSL_set1_host");
    ssl.Bind(&version, "SSL_get_version");
    ssl.Bind(&cipher, "SSL_get_current_cipher");
    ssl.Bind(&cipher_name, "SSL_CIPHER_get_name");
    ssl.Bind(&host_parameters, "SSL_get0_param");
    crypto.Bind(&new_bio, "BIO_new");
    crypto.Bind(&memory_method, "BIO_s_mem");
    crypto.Bind(&bio_read, "BIO_read");
    crypto.Bind(&bio_write, "BIO_write");
    crypto.Bind(&bio_control, "BIO_ctrl");
    crypto.Bind(&next_error, "ERR_get_error");
    crypto.Bind(&error_text, "ERR_error_string_n");
    crypto.Bind(&clear_errors, "ERR_clear_error");
    crypto.Bind(&verify_text, "X509_verify_cert_error_string");
    crypto.Bind(&set_ip, "X509_VERIFY_PARAM_set1_ip_asc");
  }
  [[nodiscard]] const std::string& problem() const {
    return ssl.problem().empty() ? crypto.problem() : ssl.problem();
  }
};

Tls& TheTls() {
  static auto* const tls = new Tls;
  return *tls;
}

// Numbers of libssl's interface.
constexpr int kErrorSsl = 1;
constexpr int kWantRead = 2;
constexpr int kWantWrite = 3;
constexpr int kErrorSyscall = 5;
constexpr int kZeroReturn = 6;
constexpr int kPem = 1;
constexpr int kSetMode = 33;
constexpr int kPartialWriteAndMoving = 1 | 2;
constexpr int kSetServerName = 55;
constexpr int kSetLeastVersion = 123;
constexpr int kSetMostVersion = 124;
constexpr int kSetEofReturn = 130;  // BIO_C_SET_BUF_MEM_EOF_RETURN
constexpr int kBioPending = 10;
constexpr int kPieceBytes = 1 << 16;

struct TlsContext {
  void* context = nullptr;
  bool server = false;
  std::string password;
  ~TlsContext() {
    if (context != nullptr) TheTls().free_context(context);
  }
};

struct TlsConnection {
  std::shared_ptr<TlsContext> context;
  void* ssl = nullptr;
  void* in = nullptr;
  void* out = nullptr;
  ~TlsConnection() {
    if (ssl != nullptr) TheTls().free_connection(ssl);  // and both buffers
  }
};

Table<TlsContext>& Contexts() {
  static auto* const table = new Table<TlsContext>;
  return *table;
}
Table<TlsConnection>& Connections() {
  static auto* const table = new Table<TlsConnection>;
  return *table;
}

int GivePassword(char* buffer, int size, int /*writing*/, void* data) {
  const auto* context = static_cast<const TlsContext*>(data);
  const int length = std::min(size, static_cast<int>(context->password.size()));
  context->password.copy(buffer, static_cast<size_t>(length));
  return length;
}

// What the library says was wrong, and forgets.
std::string ErrorText(absl::string_view otherwise) {
  const auto error = TheTls().next_error();
  if (error == 0) return std::string(otherwise);
  char text[256];
  TheTls().error_text(error, text, sizeof(text));
  TheTls().clear_errors();
  return text;
}

// Why a call went no further: 0 it wants more from the peer, f the peer ended, else a text.
Outcome GiveReason(Vm& vm, Args args, const TlsConnection& connection, int result) WEFT_ALLOCATES {
  const int error = TheTls().get_error(connection.ssl, result);
  if (error == kWantRead || error == kWantWrite) {
    args.set(0, Word::Fixnum(0));
    return Outcome::kNext;
  }
  if (error == kZeroReturn) {
    args.set(0, gc::kFalse);
    return Outcome::kNext;
  }
  return ffi::Problem(vm, args,
                      ErrorText(error == kErrorSyscall || error == kErrorSsl
                                    ? "The peer closed the connection without saying so"
                                    : "The connection failed"));
}

// A string without NUL.
bool TextAt(Args args, size_t i, std::string* text) WEFT_ALLOCATES {
  if (!Is(args, i, TypeId::kString)) return false;
  *text = StringAt(args, i);
  return text->find('\0') == std::string::npos;
}

}  // namespace

// ( server? least most -- context/problem ): versions as the protocol numbers them, 0 for any
Outcome PrimTlsContext(Vm& vm, Args args) {
  for (size_t i = 1; i < 3; ++i) {
    if (!args.is_fixnum(i) || args.fixnum(i) < 0 || args.fixnum(i) > 0xffff) {
      return BadArgument(vm, args, i);
    }
  }
  Tls& tls = TheTls();
  if (!tls.problem().empty()) return ffi::Problem(vm, args, tls.problem());
  auto context = std::make_shared<TlsContext>();
  context->server = args.is_true(0);
  context->context = tls.new_context(context->server ? tls.server_method() : tls.client_method());
  if (context->context == nullptr) return ffi::Problem(vm, args, ErrorText("no context"));
  tls.context_control(context->context, kSetMode, kPartialWriteAndMoving, nullptr);
  if (tls.context_control(context->context, kSetLeastVersion, args.fixnum(1), nullptr) != 1 ||
      tls.context_control(context->context, kSetMostVersion, args.fixnum(2), nullptr) != 1) {
    return ffi::Problem(vm, args, ErrorText("This version of the protocol is not supported"));
  }
  tls.set_password_data(context->context, context.get());
  tls.set_password(context->context, GivePassword);
  args.set(0, Word::Fixnum(Contexts().Add(std::move(context))));
  return Outcome::kNext;
}

// ( value option context -- problem/f )
Outcome PrimTlsConfigure(Vm& vm, Args args) {
  const auto context = ffi::ObjectAt(Contexts(), args, 2);
  if (context == nullptr) return BadArgument(vm, args, 2);
  std::string value;
  if (!TextAt(args, 0, &value)) return BadArgument(vm, args, 0);
  std::string option;
  if (!TextAt(args, 1, &option)) return BadArgument(vm, args, 1);
  const Tls& tls = TheTls();
  void* const c = context->context;
  bool good = true;
  tls.clear_errors();
  if (option == "password") {
    context->password = value;
  } else if (option == "certificates") {
    good = tls.use_chain(c, value.c_str()) == 1;
  } else if (option == "key") {
    good = tls.use_key(c, value.c_str(), kPem) == 1;
  } else if (option == "ca-file") {
    good = tls.load_locations(c, value.c_str(), nullptr) == 1;
  } else if (option == "ca-path") {
    good = tls.load_locations(c, nullptr, value.c_str()) == 1;
  } else if (option == "default-paths") {
    good = tls.set_default_paths(c) == 1;
  } else if (option == "ciphers") {
    good = tls.set_ciphers(c, value.c_str()) == 1;
  } else if (option == "verify") {
    // The result is looked at after the handshake, so that the error can say what was wrong.
    tls.set_verify(c, 0, nullptr);
  } else {
    return BadArgument(vm, args, 1);
  }
  if (!good) return ffi::Problem(vm, args, ErrorText(absl::StrCat("bad ", option)));
  args.set(0, gc::kFalse);
  return Outcome::kNext;
}

// ( context -- )
Outcome PrimTlsFreeContext(Vm& vm, Args args) {
  if (!args.is_fixnum(0)) return BadArgument(vm, args, 0);
  Contexts().Remove(args.fixnum(0));
  return Outcome::kNext;
}

// ( host/f ip? context -- connection/problem ): whom the certificate shall be for
Outcome PrimTlsConnection(Vm& vm, Args args) {
  const auto context = ffi::ObjectAt(Contexts(), args, 2);
  if (context == nullptr) return BadArgument(vm, args, 2);
  std::string host;
  if (args.is_true(0) && !TextAt(args, 0, &host)) return BadArgument(vm, args, 0);
  const Tls& tls = TheTls();
  auto connection = std::make_shared<TlsConnection>();
  connection->context = context;
  connection->ssl = tls.new_connection(context->context);
  if (connection->ssl == nullptr) return ffi::Problem(vm, args, ErrorText("no connection"));
  connection->in = tls.new_bio(tls.memory_method());
  connection->out = tls.new_bio(tls.memory_method());
  if (connection->in == nullptr || connection->out == nullptr) {
    return ffi::Problem(vm, args, "no memory for a connection");
  }
  tls.bio_control(connection->in, kSetEofReturn, -1, nullptr);
  tls.bio_control(connection->out, kSetEofReturn, -1, nullptr);
  tls.set_bios(connection->ssl, connection->in, connection->out);
  if (context->server) {
    tls.set_accept(connection->ssl);
  } else {
    tls.set_connect(connection->ssl);
  }
  if (!host.empty()) {
    if (args.is_true(1)) {
      tls.set_ip(tls.host_parameters(connection->ssl), host.c_str());
    } else {
      tls.connection_control(connection->ssl, kSetServerName, 0, host.data());
      tls.set_host(connection->ssl, host.c_str());
    }
  }
  args.set(0, Word::Fixnum(Connections().Add(std::move(connection))));
  return Outcome::kNext;
}

// ( bytes connection -- ): came from the peer; none: nothing more will come
Outcome PrimTlsFeed(Vm& vm, Args args) {
  const auto connection = ffi::ObjectAt(Connections(), args, 1);
  if (connection == nullptr) return BadArgument(vm, args, 1);
  if (!Is(args, 0, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 0);
  const std::string bytes = BytesAt(args, 0);
  if (bytes.empty()) {
    TheTls().bio_control(connection->in, kSetEofReturn, 0, nullptr);
  } else {
    size_t at = 0;
    while (at < bytes.size()) {
      const int piece = static_cast<int>(std::min<size_t>(bytes.size() - at, kPieceBytes));
      if (TheTls().bio_write(connection->in, bytes.data() + at, piece) != piece) break;
      at += static_cast<size_t>(piece);
    }
  }
  return ffi::Charged(vm, bytes.size());
}

// ( connection -- bytes ): to be sent to the peer
Outcome PrimTlsDrain(Vm& vm, Args args) {
  const auto connection = ffi::ObjectAt(Connections(), args, 0);
  if (connection == nullptr) return BadArgument(vm, args, 0);
  const auto pending = TheTls().bio_control(connection->out, kBioPending, 0, nullptr);
  std::string bytes(static_cast<size_t>(std::max<int64_t>(pending, 0)), '\0');
  size_t have = 0;
  while (have < bytes.size()) {
    const int asked = static_cast<int>(std::min<size_t>(bytes.size() - have, kPieceBytes));
    const int got = TheTls().bio_read(connection->out, bytes.data() + have, asked);
    if (got <= 0) break;
    have += static_cast<size_t>(got);
  }
  bytes.resize(have);
  return ffi::GiveBytes(vm, args, 0, bytes);
}

// ( connection -- state ): t done, 0 wants more from the peer, f the peer ended, a string: failed
Outcome PrimTlsHandshake(Vm& vm, Args args) {
  const auto connection = ffi::ObjectAt(Connections(), args, 0);
  if (connection == nullptr) return BadArgument(vm, args, 0);
  TheTls().clear_errors();
  const int result = TheTls().handshake(connection->ssl);
  vm.budget -= 1000;
  if (result != 1) {
    const Outcome outcome = GiveReason(vm, args, *connection, result);
    return outcome == Outcome::kNext ? Outcome::kReload : outcome;
  }
  args.set(0, gc::kTrue);
  return Outcome::kReload;
}

// ( n connection -- bytes/state )
Outcome PrimTlsRead(Vm& vm, Args args) {
  const auto connection = ffi::ObjectAt(Connections(), args, 1);
  if (connection == nullptr) return BadArgument(vm, args, 1);
  if (!args.is_fixnum(0) || args.fixnum(0) < 1) return BadArgument(vm, args, 0);
  std::string bytes(static_cast<size_t>(std::min<int64_t>(args.fixnum(0), kPieceBytes)), '\0');
  TheTls().clear_errors();
  const int result = TheTls().read(connection->ssl, bytes.data(), static_cast<int>(bytes.size()));
  if (result <= 0) return GiveReason(vm, args, *connection, result);
  bytes.resize(static_cast<size_t>(result));
  return ffi::GiveBytes(vm, args, 0, bytes);
}

// ( bytes from to connection -- n/state ): how many were taken
Outcome PrimTlsWrite(Vm& vm, Args args) {
  const auto connection = ffi::ObjectAt(Connections(), args, 3);
  if (connection == nullptr) return BadArgument(vm, args, 3);
  std::string part;
  if (!ffi::PartAt(args, 0, 1, &part) || part.empty() || part.size() > INT_MAX) {
    return BadArgument(vm, args, 0);
  }
  TheTls().clear_errors();
  const int result = TheTls().write(connection->ssl, part.data(), static_cast<int>(part.size()));
  if (result <= 0) return GiveReason(vm, args, *connection, result);
  args.set(0, Word::Fixnum(result));
  return ffi::Charged(vm, part.size());
}

// ( connection -- ): says that nothing more will be sent
Outcome PrimTlsShutdown(Vm& vm, Args args) {
  const auto connection = ffi::ObjectAt(Connections(), args, 0);
  if (connection == nullptr) return BadArgument(vm, args, 0);
  TheTls().shutdown(connection->ssl);
  TheTls().clear_errors();
  return Outcome::kNext;
}

// ( connection -- array ): { version cipher verify-code verify-text }
Outcome PrimTlsInfo(Vm& vm, Args args) {
  const auto connection = ffi::ObjectAt(Connections(), args, 0);
  if (connection == nullptr) return BadArgument(vm, args, 0);
  const Tls& tls = TheTls();
  const void* cipher = tls.cipher(connection->ssl);
  const auto code = tls.verify_result(connection->ssl);
  gc::RootVector items(vm.heap());
  items.push_back(MakeString(vm.heap(), tls.version(connection->ssl)));
  items.push_back(MakeString(vm.heap(), cipher == nullptr ? "" : tls.cipher_name(cipher)));
  items.push_back(Word::Fixnum(code));
  items.push_back(MakeString(vm.heap(), tls.verify_text(code)));
  args.set(0, io::MakeArray(vm, items));
  return Outcome::kNext;
}

// ( connection -- )
Outcome PrimTlsFree(Vm& vm, Args args) {
  if (!args.is_fixnum(0)) return BadArgument(vm, args, 0);
  Connections().Remove(args.fixnum(0));
  return Outcome::kNext;
}

}  // namespace weft
