// The bytes of an object graph between two VMs (docs/wire-format.md has the grammar and an
// example).
//
// A graph is a flat list of nodes, one for each heap object in it, and a root value. A value is an
// immediate, or the number of a node or of an extern: so sharing and cycles need nothing special,
// and no nesting of the data becomes nesting of the bytes. Externs are what only language code can
// describe: words, classes, objects that hold descriptors. They travel as data in a graph of their
// own.
//
// All integers are little-endian. A version is one byte order, one set of tags.
#ifndef WEFT_VM_IPC_MESSAGE_FORMAT_H_
#define WEFT_VM_IPC_MESSAGE_FORMAT_H_

#include <cstddef>
#include <cstdint>

namespace weft::ipc {

inline constexpr uint8_t kGraphVersion = 1;

// First byte of a value; what follows it.
enum ValueTag : uint8_t {
  kValueFalse = 0x00,
  kValueTrue = 0x01,
  kValueInt8 = 0x02,  // signed, 1 byte
  kValueInt16 = 0x03,
  kValueInt32 = 0x04,
  kValueInt64 = 0x05,   // within the range of fixnums
  kValueFloat = 0x06,   // the 8 bytes of a double
  kValueNode8 = 0x08,   // number of a node, 1 byte
  kValueNode16 = 0x09,  // 2 bytes
  kValueNode32 = 0x0A,  // 4 bytes
  kValueExtern8 = 0x0C,
  kValueExtern16 = 0x0D,
  kValueExtern32 = 0x0E,
  kValueSmall = 0x40,  // and above: the integer tag - 0x80
};
inline constexpr int kSmallBias = 0x80;

// First byte of a node; what follows it.
enum NodeTag : uint8_t {
  kNodeBytes = 1,      // u32 length, bytes
  kNodeString = 2,     // u8 bytes per code point (1, 2, 4), u32 length, code points
  kNodeBignum = 3,     // u8 1 if negative, u32 limbs, 8 bytes each, least significant first
  kNodeArray = 4,      // u32 length, values
  kNodeWrapper = 5,    // value
  kNodeQuotation = 6,  // value: node of an array; value: f or node of an array { path positions }
  kNodeTuple = 7,      // u32 extern of the class, u32 slots, values
  kNodeVector = 8,     // u32 length, values
  kNodeTable = 9,      // u8 TableForm, u32 extern of the class, u32 entries, u32 further slots,
                       // key (and value) of each entry, values of the further slots
};

// How the class of a tuple travels: second item of a row of the encoder's class rules.
enum class ClassRule : uint8_t {
  kPlain = 0,          // a tuple of slots
  kExtern = 1,         // language code describes the object
  kSet = 2,            // a table without values: slots count deleted array
  kMap = 3,            // a table: slots count deleted array
  kIdentityTable = 4,  // its first slot is a table
};

// A message begins: u32 length of its preamble, the preamble; then the graph.
inline constexpr size_t kPreambleLengthBytes = 4;

// A graph begins: u8 version, 3 bytes 0, u32 nodes, u32 externs; then the root value, the nodes.
inline constexpr size_t kGraphHeaderBytes = 12;

}  // namespace weft::ipc

#endif  // WEFT_VM_IPC_MESSAGE_FORMAT_H_
