// Words as objects and what runs when they are called: the bodies that need no compiler.
//
// The state of a word decides (ResetWordCode): a generic dispatches, a primitive runs its row, a
// symbol pushes itself, a word with a definition is compiled in dynamic mode at its first call, any
// other throws undefined-word. Every cell has a static entry at all times (docs/hacking.md, 4).
// Words are pinned: raw words may be kept over allocations as long as something refers to them.
#ifndef WEFT_VM_WORD_CODE_H_
#define WEFT_VM_WORD_CODE_H_

#include <cstdint>

#include "gc/handle.h"
#include "vm/objects.h"
#include "vm/primitives.h"

namespace weft {

class CodeBuilder;
class Vm;

// A new word: no definition, calling it throws undefined-word.
Word NewWord(Vm& vm, const gc::Root& name, const gc::Root& vocabulary) WEFT_ALLOCATES;

// Inputs and outputs of an effect tuple; 0 and 0 if it is none (is_valid tells).
EffectCounts CountsOfEffect(Vm& vm, Word effect) WEFT_NO_ALLOC;

// Drops compiled code and gives the word the body of its state.
void ResetWordCode(Vm& vm, const gc::Root& word) WEFT_ALLOCATES;
// Sets the definition (f: deferred) and clears what made it primitive or symbol.
void DefineWord(Vm& vm, const gc::Root& word, const gc::Root& definition) WEFT_ALLOCATES;
void DefineSymbol(Vm& vm, const gc::Root& word) WEFT_ALLOCATES;
// Makes the word the primitive of row `row`, with its declared counts.
void DefinePrimitive(Vm& vm, const gc::Root& word, size_t row) WEFT_ALLOCATES;
// Calling it throws: undefined-word, or not-compiled if the word has a definition.
void MakeBroken(Vm& vm, const gc::Root& word) WEFT_ALLOCATES;

// How dynamic code of a word begins: its static entry (kEnterDynamic), then kDynEnter.
void EmitDynamicEntry(CodeBuilder& builder, const gc::Root& word);
// Installs compiled code, from now on what every caller runs. Dynamic code must begin with
// EmitDynamicEntry.
void InstallStaticCode(Vm& vm, const gc::Root& word, const gc::Root& code) WEFT_ALLOCATES;
void InstallDynamicCode(Vm& vm, const gc::Root& word, const gc::Root& code) WEFT_ALLOCATES;

// Static code [Enter, NewTuple, Return] as a word of its own: ( slots... -- tuple ).
Word MakeConstructor(Vm& vm, const gc::Root& layout) WEFT_ALLOCATES;

}  // namespace weft

#endif  // WEFT_VM_WORD_CODE_H_
