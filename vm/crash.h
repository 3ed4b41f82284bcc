// An internal fault: a broken invariant, or a signal that only an error of the VM itself raises. It
// prints what to report, writes one crash file and ends the process with status 134. The file lies
// in the current folder, or in TMPDIR or /tmp where nothing can be written there.
#ifndef WEFT_VM_CRASH_H_
#define WEFT_VM_CRASH_H_

namespace weft {

class Vm;

constexpr int kExitInternalFault = 134;

// From now on faults of this process are reported. `vm` outlives the process's last fault; the
// command line is kept by reference. Where a tool of the build handles faults itself (sanitizers)
// it goes on doing so.
void InstallCrashHandlers(Vm& vm, int argc, char** argv);

}  // namespace weft

#endif  // WEFT_VM_CRASH_H_
