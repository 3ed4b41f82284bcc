// The static compiler: windowed code for words and quotations whose stack effect can be inferred.
//
// A pure function of the callable, the definitions of the words it uses and the answers so far. It
// reads the heap under gc::NoAlloc, and allocates only its result. It never runs language code: a
// macro that it needs expanded is a request, answered by the language, which asks again.
//
//   (compile) ( callable declared/f answers -- code/f report )
//     code:     report is { word how word how ... }: what the code depends on. how: 1 the word's
//               effect, 2 its definition was inlined, 3 its layout as a class, 4 three in a row: a
//               generic, a class and the method that was chosen for it, 5 what it leaves for
//               literals, and so everything that it calls
//     request:  f, report { "expand" macro literals }; answers are { { macro literals quot } ... }
//     error:    f, report { kind word data position }: word is the word concerned (or a quotation),
//               position { path line column } or f. Kinds and data:
//       "unknown-macro-input" (an input of the word should be known) "bad-macro-input" (a computed
//       value should be known) "missing-effect" "undeclared-recursion"
//       "unbalanced-recursion" "inconsistent-recursive-call" "recursive-quotation" "too-many-r>"
//                              data f
//       "unbalanced-recursion" may have data { word piece ... f piece ... f }: the inline word that
//                              the text itself calls, and for each argument the quotations that it
//                              is made of, with t for each value that it holds (none: another
//                              argument); also for a quotation that does not keep the height its
//                              word declares (..a -- ..a)
//       "unbalanced-branches"  data: array of effects, one a branch
//       "effect-mismatch"      data { declared inferred }
//       "too-big"              data f; only for quotations without declared effect: with one, the
//                              code is a wrapper that runs the definition in dynamic mode
//       "needs-dynamic"        data f; no error: it changes the stack as a whole (clear), which
//                              works in dynamic mode only
//   (infer) ( quot answers -- effect/f report ): the same analysis, no code
#ifndef WEFT_COMPILER_STATIC_COMPILER_H_
#define WEFT_COMPILER_STATIC_COMPILER_H_

#include "vm/args.h"
#include "vm/outcome.h"

namespace weft {

class Vm;

Outcome CompileStatic(Vm& vm, Args args) WEFT_ALLOCATES;
Outcome InferEffect(Vm& vm, Args args) WEFT_ALLOCATES;

}  // namespace weft

#endif  // WEFT_COMPILER_STATIC_COMPILER_H_
