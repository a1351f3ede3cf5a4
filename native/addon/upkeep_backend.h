// The backend that a vacuum or an analyze runs with: one of its own, which has a temporary table's pages from its session.
#pragma once

#include <memory>
#include <utility>

#include "addon/cluster_core.h"
#include "table/table.h"
#include "xact/backend.h"

namespace pgdata {

// `temporary`: the session's, of a temporary table. connection_does_not_exist when that session is gone.
inline Status make_upkeep_backend(Engine& engine, Oid database, const Table& table,
                                  const std::weak_ptr<TemporaryRelations>& temporary,
                                  std::unique_ptr<Backend>* backend) {
  std::shared_ptr<TemporaryRelations> relations = temporary.lock();
  if (table.definition().temporary && relations == nullptr)
    return Status::error(ErrorCode::connection_does_not_exist, "the session is closed");
  RETURN_IF_ERROR(Backend::create(engine.services(), engine.transactions(), database, backend));
  if (relations != nullptr) (*backend)->use_temporary_relations(std::move(relations));
  return Status::ok;
}

}  // namespace pgdata
