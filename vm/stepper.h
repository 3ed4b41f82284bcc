// Stepper: where contexts stop that are debugged, or held while another one is.
//
// While a context is stepped, the interpreter comes here before each instruction (vm/observer.h).
// A stop lies between two instructions of dynamic code, where all of its values are on the stacks:
// what is debugged runs in dynamic mode (tools.walker sees to that), and each element of a
// quotation is an instruction there. Static code passes without a stop; a context that is held
// stops at its entries, too. At a stop the word in the special object StepHook is called on top, as
// signal handlers are; what it does itself is not stepped, since the context goes on being stepped
// only when the instruction at the stop is met again. Owned by the observer; VM thread only.
#ifndef WEFT_VM_STEPPER_H_
#define WEFT_VM_STEPPER_H_

#include <cstdint>
#include <map>
#include <string>

#include "vm/context.h"
#include "vm/objects.h"

namespace weft {

class Vm;

class Stepper {
 public:
  enum class Mode : int64_t {
    kOff = 0,
    kStep = 1,  // at the next element of this word, or of one that called it
    kInto = 2,  // at the next element of any word of the program
    kOut = 3,   // when the code that runs is done
    kHold = 4,  // at once
  };

  explicit Stepper(Vm& vm) : vm_(vm) {}

  // Code from files below `library` is none of the program's.
  void Set(const Context& context, Mode mode, const std::string& library);
  [[nodiscard]] bool active() const { return !contexts_.empty(); }
  // Does the current context stop before the instruction at `at`? Then it is off, and *stop tells
  // how it ran till there and where that is: mode | column << 8 | line << 24.
  bool Stops(const uint32_t* at, int64_t* stop);

 private:
  struct Stepped {
    Mode mode = Mode::kOff;
    // The last stop. `arriving`: the instruction there was not met again.
    bool arriving = false;
    const uint32_t* at = nullptr;
    uint64_t depth = 0;
    const Code* code = nullptr;  // compared only
    Word word{5};
    int64_t line = 0;
    int64_t column = 0;
  };

  bool IsProgram(const Code* code) WEFT_NO_ALLOC;

  Vm& vm_;
  std::string library_;
  std::map<uint32_t, Stepped> contexts_;  // by id
};

}  // namespace weft

#endif  // WEFT_VM_STEPPER_H_
