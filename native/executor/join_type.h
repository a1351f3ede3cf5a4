// JoinType: which rows a join gives.
#pragma once

#include <cstdint>

namespace pgdata {

// Pairs, and those of the left, the right or both inputs that have no partner; left rows that have one, or have none.
enum class JoinType : uint8_t { inner, left, right, full, semi, anti };

constexpr bool gives_right_columns(JoinType type) {
  return type != JoinType::semi && type != JoinType::anti;
}

}  // namespace pgdata
