// WaitEvent: the names.
#include "shmem/wait_event.h"

#include <array>
#include <cstddef>

namespace pgdata {

namespace {

struct Names {
  const char* type;
  const char* name;
};

constexpr std::array<Names, static_cast<size_t>(WaitEvent::lock_advisory) + 1> names = {{
    {"", ""},
    {"Activity", "ArchiverMain"},
    {"Activity", "AutovacuumMain"},
    {"Activity", "BgwriterHibernate"},
    {"Activity", "BgwriterMain"},
    {"Activity", "CheckpointerMain"},
    {"Activity", "WalWriterMain"},
    {"Client", "ClientRead"},
    {"Client", "ClientWrite"},
    {"IPC", "ArchiveCommand"},
    {"Timeout", "CheckpointWriteDelay"},
    {"IO", "WalSync"},
    {"BufferPin", "BufferPin"},
    {"IPC", "BufferIo"},
    {"IO", "DataFileExtend"},
    {"IO", "DataFileRead"},
    {"IO", "DataFileSync"},
    {"IO", "DataFileTruncate"},
    {"IO", "DataFileWrite"},
    {"IO", "SlruRead"},
    {"IO", "SlruSync"},
    {"IO", "SlruWrite"},
    {"IO", "WalInitSync"},
    {"IO", "WalInitWrite"},
    {"IO", "WalWrite"},
    {"LWLock", "BufferContent"},
    {"LWLock", "BufferMapping"},
    {"LWLock", "CommitTs"},
    {"LWLock", "CommitTsSLRU"},
    {"LWLock", "LockFastPath"},
    {"LWLock", "LockManager"},
    {"LWLock", "MultiXactMemberSLRU"},
    {"LWLock", "MultiXactOffsetSLRU"},
    {"LWLock", "NotifyQueue"},
    {"LWLock", "NotifySLRU"},
    {"LWLock", "PgStatsData"},
    {"LWLock", "PredicateLockManager"},
    {"LWLock", "ProcArray"},
    {"LWLock", "SerialControl"},
    {"LWLock", "SerialSLRU"},
    {"LWLock", "SubtransSLRU"},
    {"LWLock", "TwoPhaseState"},
    {"LWLock", "WALInsert"},
    {"LWLock", "WALWrite"},
    {"LWLock", "XactSLRU"},
    {"Lock", "relation"},
    {"Lock", "extend"},
    {"Lock", "frozenid"},
    {"Lock", "page"},
    {"Lock", "tuple"},
    {"Lock", "transactionid"},
    {"Lock", "virtualxid"},
    {"Lock", "spectoken"},
    {"Lock", "object"},
    {"Lock", "userlock"},
    {"Lock", "advisory"},
}};

const Names& names_of(WaitEvent event) {
  const auto at = static_cast<size_t>(event);
  return names[at < names.size() ? at : 0];
}

}  // namespace

const char* type_of(WaitEvent event) { return names_of(event).type; }

const char* name_of(WaitEvent event) { return names_of(event).name; }

}  // namespace pgdata
