#include "vm/context.h"

#include <cstdlib>
#include <cstring>

#include "gc/check.h"

namespace weft {

void Context::AllocateBlock(size_t words) {
  block = static_cast<gc::Word*>(std::malloc(words * sizeof(gc::Word)));
  WEFT_CHECK(block != nullptr);
  block_end = block + words;
  window = block;
  call_top = call_end();
}

void Context::FreeBlock() {
  std::free(block);
  block = block_end = window = nullptr;
  call_top = nullptr;
}

bool Context::EnsureRoom(size_t words) {
  const ptrdiff_t free_words = reinterpret_cast<gc::Word*>(call_top) - window;
  const ptrdiff_t wanted = static_cast<ptrdiff_t>(words + kRedZoneWords);
  if (free_words >= wanted) return true;
  const size_t old_words = block_words();
  const size_t missing = static_cast<size_t>(wanted - free_words);
  const size_t limit = kMaxWords + (overflowed ? kOverflowMarginWords : 0);
  if (old_words + missing > limit) return false;
  size_t new_words = old_words * 2;
  while (new_words < old_words + missing) new_words *= 2;
  if (new_words > limit) new_words = limit;

  auto* larger = static_cast<gc::Word*>(std::malloc(new_words * sizeof(gc::Word)));
  if (larger == nullptr) return false;
  // The frame that runs may use slots above `window`, so everything below the call stack is copied.
  const size_t data_words = static_cast<size_t>(reinterpret_cast<gc::Word*>(call_top) - block);
  const size_t call_words = old_words - data_words;
  std::memcpy(larger, block, data_words * sizeof(gc::Word));
  std::memcpy(larger + new_words - call_words, call_top, call_words * sizeof(gc::Word));
  window = larger + (window - block);
  std::free(block);
  block = larger;
  block_end = larger + new_words;
  call_top = reinterpret_cast<uint64_t*>(block_end) - call_words;
  return true;
}

}  // namespace weft
