// Primitives of libcrypto's message digests, and of zlib's streams.
#include <climits>
#include <memory>
#include <string>
#include <utility>

#include "vm/ffi/library.h"
#include "vm/ffi/operands.h"
#include "vm/primitives.h"

namespace weft {
namespace {

using ffi::Library;
using ffi::Table;

// --- libcrypto ---------------------------------------------------------------------------------

struct Crypto {
  Library library{{"libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.so"}, "libssl3"};
  const void* (*get_digest)(const char* name);
  void* (*new_context)();
  void (*free_context)(void* context);
  int (*init)(void* context, const void* digest, void* engine);
  int (*update)(void* context, const void* data, size_t size);
  int (*copy)(void* to, const void* from);
  int (*finish)(void* context, unsigned char* out, unsigned* size);

  Crypto() {
    library.Bind(&get_digest, "EVP_get_digestbyname");
    library.Bind(&new_context, "EVP_MD_CTX_new");
    library.Bind(&free_context, "EVP_MD_CTX_free");
    library.Bind(&init, "EVP_DigestInit_ex");
    library.Bind(&update, "EVP_DigestUpdate");
    library.Bind(&copy, "EVP_MD_CTX_copy_ex");
    library.Bind(&finish, "EVP_DigestFinal_ex");
  }
};

Crypto& TheCrypto() {
  static auto* const crypto = new Crypto;
  return *crypto;
}

struct Digest {
  void* context = nullptr;
  ~Digest() {
    if (context != nullptr) TheCrypto().free_context(context);
  }
};

Table<Digest>& Digests() {
  static auto* const table = new Table<Digest>;
  return *table;
}

constexpr unsigned kMaxDigestBytes = 64;  // EVP_MAX_MD_SIZE

// --- zlib --------------------------------------------------------------------------------------

// z_stream of zlib 1.2, whose layout is part of its interface.
struct ZStream {
  const unsigned char* next_in;
  unsigned avail_in;
  unsigned long total_in;  // NOLINT(google-runtime-int): zlib's
  unsigned char* next_out;
  unsigned avail_out;
  unsigned long total_out;  // NOLINT(google-runtime-int)
  const char* message;
  void* state;
  void* allocate;
  void* release;
  void* opaque;
  int data_type;
  unsigned long adler;     // NOLINT(google-runtime-int)
  unsigned long reserved;  // NOLINT(google-runtime-int)
};

struct Zlib {
  Library library{{"libz.so.1", "libz.so"}, "zlib1g"};
  int (*inflate_init)(ZStream* stream, int window_bits, const char* version, int size);
  int (*deflate_init)(ZStream* stream, int level, int method, int window_bits, int memory,
                      int strategy, const char* version, int size);
  int (*inflate)(ZStream* stream, int flush);
  int (*deflate)(ZStream* stream, int flush);
  int (*inflate_end)(ZStream* stream);
  int (*deflate_end)(ZStream* stream);

  Zlib() {
    library.Bind(&inflate_init, "inflateInit2_");
    library.Bind(&deflate_init, "deflateInit2_");
    library.Bind(&inflate, "inflate");
    library.Bind(&deflate, "deflate");
    library.Bind(&inflate_end, "inflateEnd");
    library.Bind(&deflate_end, "deflateEnd");
  }
};

Zlib& TheZlib() {
  static auto* const zlib = new Zlib;
  return *zlib;
}

struct ZlibStream {
  ZStream stream{};
  bool deflates = false;
  bool open = false;
  ~ZlibStream() {
    if (!open) return;
    if (deflates) {
      TheZlib().deflate_end(&stream);
    } else {
      TheZlib().inflate_end(&stream);
    }
  }
};

Table<ZlibStream>& Streams() {
  static auto* const table = new Table<ZlibStream>;
  return *table;
}

constexpr int kFinish = 4;
constexpr int kStreamEnd = 1;
constexpr int kBufferError = -5;
constexpr int64_t kMaxPiece = 1 << 20;

const char* TextOf(int code) {
  switch (code) {
    case 2:
      return "need dictionary";
    case -2:
      return "stream error";
    case -3:
      return "data error";
    case -4:
      return "insufficient memory";
    case -6:
      return "incompatible version";
    default:
      return "unknown error";
  }
}

}  // namespace

// ( name -- digest/problem/f ): f where the library knows no digest of that name
Outcome PrimDigestOpen(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kString)) return BadType(vm, TypeId::kString, args, 0);
  const std::string name = StringAt(args, 0);
  Crypto& crypto = TheCrypto();
  if (!crypto.library.problem().empty()) return ffi::Problem(vm, args, crypto.library.problem());
  const void* kind =
      name.find('\0') == std::string::npos ? crypto.get_digest(name.c_str()) : nullptr;
  auto digest = std::make_shared<Digest>();
  digest->context = kind == nullptr ? nullptr : crypto.new_context();
  if (digest->context == nullptr || crypto.init(digest->context, kind, nullptr) != 1) {
    args.set(0, gc::kFalse);
    return Outcome::kNext;
  }
  args.set(0, Word::Fixnum(Digests().Add(std::move(digest))));
  return Outcome::kNext;
}

// ( bytes from to digest -- )
Outcome PrimDigestUpdate(Vm& vm, Args args) {
  const auto digest = ffi::ObjectAt(Digests(), args, 3);
  if (digest == nullptr) return BadArgument(vm, args, 3);
  std::string part;
  if (!ffi::PartAt(args, 0, 1, &part)) return BadArgument(vm, args, 0);
  TheCrypto().update(digest->context, part.data(), part.size());
  return ffi::Charged(vm, part.size());
}

// ( digest -- bytes/f ): of all that was added; more may be added afterwards
Outcome PrimDigestValue(Vm& vm, Args args) {
  const auto digest = ffi::ObjectAt(Digests(), args, 0);
  if (digest == nullptr) return BadArgument(vm, args, 0);
  Digest copy;
  copy.context = TheCrypto().new_context();
  unsigned char value[kMaxDigestBytes];
  unsigned size = 0;
  if (copy.context == nullptr || TheCrypto().copy(copy.context, digest->context) != 1 ||
      TheCrypto().finish(copy.context, value, &size) != 1) {
    args.set(0, gc::kFalse);
    return Outcome::kNext;
  }
  return ffi::GiveBytes(vm, args, 0, std::string(reinterpret_cast<const char*>(value), size));
}

// ( digest -- )
Outcome PrimDigestClose(Vm& vm, Args args) {
  if (!args.is_fixnum(0)) return BadArgument(vm, args, 0);
  Digests().Remove(args.fixnum(0));
  return Outcome::kNext;
}

// ( deflate? level window-bits strategy -- stream/problem )
Outcome PrimZlibOpen(Vm& vm, Args args) {
  for (size_t i = 1; i < 4; ++i) {
    if (!args.is_fixnum(i) || args.fixnum(i) < -64 || args.fixnum(i) > 64) {
      return BadArgument(vm, args, i);
    }
  }
  Zlib& zlib = TheZlib();
  if (!zlib.library.problem().empty()) return ffi::Problem(vm, args, zlib.library.problem());
  auto stream = std::make_shared<ZlibStream>();
  stream->deflates = args.is_true(0);
  constexpr int kSize = static_cast<int>(sizeof(ZStream));
  const int bits = static_cast<int>(args.fixnum(2));
  const int code = stream->deflates
                       ? zlib.deflate_init(&stream->stream, static_cast<int>(args.fixnum(1)), 8,
                                           bits, 8, static_cast<int>(args.fixnum(3)), "1", kSize)
                       : zlib.inflate_init(&stream->stream, bits, "1", kSize);
  if (code != 0) return ffi::Problem(vm, args, TextOf(code));
  stream->open = true;
  args.set(0, Word::Fixnum(Streams().Add(std::move(stream))));
  return Outcome::kNext;
}

// ( bytes from to finish? most stream -- output consumed end? ): at most `most` bytes come out at
// once; an output that is a string is a problem
Outcome PrimZlibRun(Vm& vm, Args args) {
  const auto stream = ffi::ObjectAt(Streams(), args, 5);
  if (stream == nullptr) return BadArgument(vm, args, 5);
  std::string part;
  if (!ffi::PartAt(args, 0, 1, &part) || part.size() > INT_MAX) return BadArgument(vm, args, 0);
  if (!args.is_fixnum(4) || args.fixnum(4) < 1 || args.fixnum(4) > kMaxPiece) {
    return BadArgument(vm, args, 4);
  }
  const int flush = args.is_true(3) ? kFinish : 0;
  std::string output(static_cast<size_t>(args.fixnum(4)), '\0');
  ZStream& z = stream->stream;
  z.next_in = reinterpret_cast<const unsigned char*>(part.data());
  z.avail_in = static_cast<unsigned>(part.size());
  z.next_out = reinterpret_cast<unsigned char*>(output.data());
  z.avail_out = static_cast<unsigned>(output.size());
  const int code = stream->deflates ? TheZlib().deflate(&z, flush) : TheZlib().inflate(&z, 0);
  const size_t consumed = part.size() - z.avail_in;
  output.resize(output.size() - z.avail_out);
  z.next_in = nullptr;
  z.next_out = nullptr;
  z.avail_in = 0;
  z.avail_out = 0;
  args.set(1, Word::Fixnum(static_cast<int64_t>(consumed)));
  args.set(2, code == kStreamEnd ? gc::kTrue : gc::kFalse);
  if (code < 0 && code != kBufferError) {
    return ffi::Problem(vm, args, z.message != nullptr ? z.message : TextOf(code));
  }
  if (code == 2) return ffi::Problem(vm, args, TextOf(code));
  const Outcome outcome = ffi::GiveBytes(vm, args, 0, output);
  return outcome == Outcome::kThrow ? outcome : ffi::Charged(vm, consumed * 4 + 64);
}

// ( stream -- )
Outcome PrimZlibClose(Vm& vm, Args args) {
  if (!args.is_fixnum(0)) return BadArgument(vm, args, 0);
  Streams().Remove(args.fixnum(0));
  return Outcome::kNext;
}

}  // namespace weft
