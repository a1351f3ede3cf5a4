// prefetch_line: starts loading a cache line, ahead of use. Advice.
#pragma once

namespace pgdata {

inline void prefetch_line(const void* address) {
  __builtin_prefetch(address);
  // GCC takes a function that only prefetches for one that does nothing, and leaves out its calls.
  asm volatile("");
}
// To be changed.
inline void prefetch_line_for_write(void* address) {
  __builtin_prefetch(address, 1);
  asm volatile("");
}

}  // namespace pgdata
