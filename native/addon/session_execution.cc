// Executions of a session.
#include "addon/session_execution.h"

#include <utility>

namespace pgdata {

namespace {

// Of a session that cannot write files.
constexpr uint64_t without_limit = 1ull << 40;

ExecutionLimits limits_of(const SessionState& state) {
  if (state.backend == nullptr) return {without_limit, without_limit};
  const auto work_mem = static_cast<double>(state.memory.work_mem_bytes);
  return {state.memory.work_mem_bytes,
          static_cast<uint64_t>(work_mem * state.memory.hash_mem_multiplier)};
}

}  // namespace

std::shared_ptr<const RowLayout> layout_of(const std::vector<OutputColumn>& columns,
                                           uint32_t capacity) {
  std::vector<Lane> lanes;
  std::vector<int> attributes;
  for (const OutputColumn& column : columns) {
    attributes.push_back(static_cast<int>(lanes.size()));
    lanes.push_back(column.lane);
  }
  return std::make_shared<const RowLayout>(lanes, attributes, capacity, false);
}

std::unique_ptr<Execution> begin_execution(const SessionState& state, const ReadView& view) {
  const ExecutionLimits limits = limits_of(state);
  if (state.backend != nullptr && state.explicit_transaction)
    return std::make_unique<Execution>(view.context, *view.snapshot, limits,
                                       state.backend->temporary_files());
  // Outside a transaction the query outlives those that begin and end beside it, and its files go with it.
  const StorageServices& services = state.core->engine().services();
  SessionCounters* const counters = state.backend == nullptr ? nullptr : state.backend->counters();
  auto space =
      std::make_unique<TemporarySpace>(services.storage, services.state, counters, services.log);
  if (state.backend != nullptr) space->set_limits(state.backend->temporary_files().limits());
  space->use_tablespace(state.memory.tablespace);
  TemporarySpace& used = *space;
  return std::make_unique<Execution>(view.context, *view.snapshot, limits, used, std::move(space));
}

}  // namespace pgdata
