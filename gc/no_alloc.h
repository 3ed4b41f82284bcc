// The no-allocation capability: how the compiler checks invariant 7 (roots are handles).
//
// A heap word that is read out of a root, a slot or a window may be a pointer that the next
// allocation moves. So reading one needs the capability `no_alloc`, and allocating needs its
// absence. clang's thread-safety analysis enforces both (preset `clang`); for GCC the attributes
// vanish. Code takes the capability with a scoped NoAlloc, or is declared WEFT_NO_ALLOC.
//
//   WEFT_NO_ALLOC   this function handles raw words; it never allocates in the heap.
//   WEFT_ALLOCATES  this function may allocate in the heap, hence collect and move objects.
#ifndef WEFT_GC_NO_ALLOC_H_
#define WEFT_GC_NO_ALLOC_H_

// WEFT_UNCHECKED_ROOTS: for tests, whose bodies cannot carry the attributes.
#if defined(__clang__) && !defined(WEFT_UNCHECKED_ROOTS)
#define WEFT_TSA(x) __attribute__((x))
#else
#define WEFT_TSA(x)
#endif

namespace weft::gc {

class WEFT_TSA(capability("no_alloc")) NoAllocCapability {
 public:
  const NoAllocCapability& operator!() const { return *this; }  // for negative requirements
};

// One per program; carries no state.
extern NoAllocCapability no_alloc;

class WEFT_TSA(scoped_lockable) NoAlloc {
 public:
  NoAlloc() WEFT_TSA(acquire_capability(no_alloc)) {}
  ~NoAlloc() WEFT_TSA(release_capability()) {}
  NoAlloc(const NoAlloc&) = delete;
  NoAlloc& operator=(const NoAlloc&) = delete;
};

}  // namespace weft::gc

#define WEFT_NO_ALLOC WEFT_TSA(requires_capability(::weft::gc::no_alloc))
#define WEFT_ALLOCATES WEFT_TSA(requires_capability(!::weft::gc::no_alloc))
// For the few functions the analysis cannot follow (the interpreter's loop, the collector itself).
#define WEFT_NO_ANALYSIS WEFT_TSA(no_thread_safety_analysis)

#endif  // WEFT_GC_NO_ALLOC_H_
