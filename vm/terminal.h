// The mode of the terminal while a line is edited: keys come one by one and are not shown.
//
// One terminal has one mode, so this is state of the process. Whatever ends it (exit, a signal, a
// failed check) sets the mode back that was found; SIGKILL alone cannot be helped.
// VM thread only. Errors: errno values, 0 for none.
#ifndef WEFT_VM_TERMINAL_H_
#define WEFT_VM_TERMINAL_H_

namespace weft::terminal {

// Keeps the mode that `fd` has and leaves line editing, echo and signals to the program. Does
// nothing if it is raw already.
int EnterRaw(int fd);
// Back to the mode that was kept.
int LeaveRaw();
[[nodiscard]] bool IsRaw();

// Rows and columns; 0 where the terminal does not know.
void Size(int fd, int* rows, int* columns);

// Ctrl-Z: leaves raw mode and stops the process group; returns when it is continued.
void Suspend();

}  // namespace weft::terminal

#endif  // WEFT_VM_TERMINAL_H_
