// What a session's queries and statements run with: their limits, and where their temporary files go.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "addon/session_object.h"
#include "executor/operator.h"
#include "executor/query_scan.h"

namespace pgdata {

constexpr uint32_t batch_capacity_max = 1u << 20;

// Of the batches that such columns cross in.
std::shared_ptr<const RowLayout> layout_of(const std::vector<OutputColumn>& columns,
                                           uint32_t capacity);

std::unique_ptr<Execution> begin_execution(const SessionState& state, const ReadView& view);

}  // namespace pgdata
