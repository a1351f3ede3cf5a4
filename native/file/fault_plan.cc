// FaultPlan: matching operations with faults, and the errors that the operating system would give.
#include "file/fault_plan.h"

#include <cerrno>
#include <utility>

#include "base/invariant.h"

namespace pgdata {

namespace {

constexpr const char* kind_names[operation_kinds] = {
    "open",           "create",           "read",     "write",
    "sync",           "truncate",         "allocate", "make_directory",
    "remove_file",    "remove_directory", "rename",   "link_symbolic",
    "sync_directory", "sync_file_system", "look_up"};

// As the real file system words it: "could not ... "path"".
constexpr const char* kind_words[operation_kinds] = {"open file",
                                                     "create file",
                                                     "read file",
                                                     "write file",
                                                     "fsync file",
                                                     "truncate file",
                                                     "allocate space for file",
                                                     "create directory",
                                                     "remove file",
                                                     "remove directory",
                                                     "rename file",
                                                     "create symbolic link",
                                                     "fsync directory",
                                                     "synchronize file system of",
                                                     "stat file"};

Status failure(int error_number, const Operation& operation) {
  return Status::os_error(error_number, "could not %s \"%s\"",
                          kind_words[static_cast<size_t>(operation.kind)], operation.path.c_str());
}

constexpr uint32_t kinds_that_need_space =
    bit_of(OperationKind::create) | bit_of(OperationKind::write) | bit_of(OperationKind::allocate) |
    bit_of(OperationKind::sync) | bit_of(OperationKind::make_directory) |
    bit_of(OperationKind::link_symbolic) | bit_of(OperationKind::rename);

}  // namespace

const char* name_of(OperationKind kind) { return kind_names[static_cast<size_t>(kind)]; }

void FaultPlan::add(FaultRule rule) {
  INVARIANT(rule.probability >= 0.0 && rule.probability <= 1.0);
  const uint64_t seed = rule.seed;
  rules_.push_back(Rule{std::move(rule), std::mt19937_64(seed)});
}

void FaultPlan::clear() {
  by_step_.clear();
  rules_.clear();
}

void FaultPlan::restart() {
  clear();
  is_down_ = false;
}

bool FaultPlan::applies(Rule& candidate, const Operation& operation) {
  const FaultRule& rule = candidate.rule;
  if (candidate.met >= rule.times || (rule.kinds & bit_of(operation.kind)) == 0) return false;
  if (!rule.path_part.empty() && operation.path.find(rule.path_part) == std::string::npos)
    return false;
  if (candidate.seen++ < rule.skip) return false;
  if (rule.probability < 1.0 &&
      std::uniform_real_distribution<double>(0.0, 1.0)(candidate.random) >= rule.probability)
    return false;
  candidate.met++;
  return true;
}

FaultPlan::Outcome FaultPlan::outcome_of(Fault fault, const Operation& operation,
                                         uint32_t delay_ms) {
  Outcome outcome;
  faults_met_++;
  switch (fault) {
    case Fault::power_failure:
      is_down_ = true;
      [[fallthrough]];
    case Fault::io_error:
      outcome.status = failure(EIO, operation);
      return outcome;
    case Fault::delay:
      outcome.delay_ms = delay_ms;
      return outcome;
    case Fault::broken_invariant:
      outcome.breaks_invariant = true;
      return outcome;
    case Fault::short_write:
      if (operation.kind == OperationKind::write) {
        outcome.is_short = true;
        return outcome;
      }
      [[fallthrough]];
    case Fault::no_space:
      if ((kinds_that_need_space & bit_of(operation.kind)) != 0)
        outcome.status = failure(ENOSPC, operation).with_hint("Check free disk space.");
      return outcome;
  }
  return outcome;
}

FaultPlan::Outcome FaultPlan::meet(const Operation& operation) {
  const uint64_t step = step_++;
  if (is_down_) {
    Outcome outcome;
    outcome.status = failure(EIO, operation);
    return outcome;
  }
  if (const auto found = by_step_.find(step); found != by_step_.end())
    return outcome_of(found->second, operation, FaultRule().delay_ms);
  for (Rule& candidate : rules_)
    if (applies(candidate, operation))
      return outcome_of(candidate.rule.fault, operation, candidate.rule.delay_ms);
  return Outcome();
}

}  // namespace pgdata
