// jsonb: the packed form of a document.
//
// A container is a 32-bit header (count of children or pairs in 28 bits, then JB_FSCALAR, JB_FOBJECT,
// JB_FARRAY), one 32-bit entry a child (an object has its keys first, then its values), and the
// children's bytes. An entry has a type (bits 28 to 30), and either the child's length or, with
// JENTRY_HAS_OFF, the offset of its end. Numbers and containers start at multiples of 4.
// Source: src/include/utils/jsonb.h, PostgreSQL 18.
#pragma once

#include <cstdint>

namespace pgdata {

inline constexpr uint32_t JENTRY_OFFLENMASK = 0x0FFFFFFF;
inline constexpr uint32_t JENTRY_TYPEMASK = 0x70000000;
inline constexpr uint32_t JENTRY_HAS_OFF = 0x80000000;
inline constexpr uint32_t JENTRY_ISSTRING = 0x00000000;
inline constexpr uint32_t JENTRY_ISNUMERIC = 0x10000000;
inline constexpr uint32_t JENTRY_ISBOOL_FALSE = 0x20000000;
inline constexpr uint32_t JENTRY_ISBOOL_TRUE = 0x30000000;
inline constexpr uint32_t JENTRY_ISNULL = 0x40000000;
inline constexpr uint32_t JENTRY_ISCONTAINER = 0x50000000;
inline constexpr uint32_t JB_CMASK = 0x0FFFFFFF;
inline constexpr uint32_t JB_FSCALAR = 0x10000000;
inline constexpr uint32_t JB_FOBJECT = 0x20000000;
inline constexpr uint32_t JB_FARRAY = 0x40000000;

// PostgreSQL has no such limit, but its own parser cannot make deeper values on a default stack.
inline constexpr int jsonb_depth_max = 10'000;

}  // namespace pgdata
