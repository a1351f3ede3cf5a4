// What the operators of a plan did, as JavaScript asks for it.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "executor/operator.h"

namespace pgdata {

// () => NativeOperatorReport[], empty until the plan has ended.
Napi::Function reports_function(Napi::Env env,
                                std::shared_ptr<const std::vector<OperatorReport>> reports);

}  // namespace pgdata
