// Descriptions of the resource managers Sequence, ReplicationOrigin, Generic and LogicalMessage.
// Source: src/backend/access/rmgrdesc/seqdesc.c, replorigindesc.c, genericdesc.c, logicalmsgdesc.c,
// PostgreSQL 18.
#include <cstring>

#include "layout/replication_records.h"
#include "rmgrdesc/description.h"

namespace pgdata {

// The record begins with the sequence's file.
bool describe_sequence(Description& d) {
  RelFileLocator relation;
  if (!d.main(&relation)) return false;
  d.print("rel %u/%u/%u", relation.spcOid, relation.dbOid, relation.relNumber);
  return true;
}

bool describe_replication_origin(Description& d) {
  if (d.info() == XLOG_REPLORIGIN_SET) {
    xl_replorigin_set set;
    if (!d.main(&set)) return false;
    d.print("set %u; lsn %s; force: %d", set.node_id, format_lsn(set.remote_lsn).c_str(),
            set.force != 0 ? 1 : 0);
  } else if (d.info() == XLOG_REPLORIGIN_DROP) {
    xl_replorigin_drop drop;
    if (!d.main(&drop)) return false;
    d.print("drop %u", drop.node_id);
  }
  return true;
}

// Regions of a page: offset, length, bytes.
bool describe_generic(Description& d) {
  RecordBytes bytes = d.main_bytes();
  while (bytes.left() > 0) {
    uint16_t offset;
    uint16_t length;
    if (!bytes.take(&offset) || !bytes.take(&length) || bytes.take_bytes(length) == nullptr)
      return false;
    d.print("offset %u, length %u%s", offset, length, bytes.left() > 0 ? "; " : "");
  }
  return true;
}

bool describe_logical_message(Description& d) {
  if (d.info() != XLOG_LOGICAL_MESSAGE) return true;
  RecordBytes bytes = d.main_bytes();
  xl_logical_message message;
  if (!bytes.take(&message)) return false;
  const std::byte* prefix = bytes.take_bytes(message.prefix_size);
  if (prefix == nullptr) return false;
  d.append(message.transactional != 0 ? "transactional" : "non-transactional");
  d.append(", prefix \"");
  d.append_bytes(prefix, strnlen(reinterpret_cast<const char*>(prefix), message.prefix_size));
  d.print("\"; payload (%llu bytes): ", static_cast<unsigned long long>(message.message_size));
  const std::byte* payload = bytes.take_bytes(message.message_size);
  if (payload == nullptr) return false;
  for (uint64_t i = 0; i < message.message_size; i++)
    d.print("%s%02X", i > 0 ? " " : "", static_cast<unsigned>(payload[i]));
  return true;
}

}  // namespace pgdata
