// What `pgdata verify` asks of native code: structural checks of one heap page and of one B-tree.
#pragma once

#include <napi.h>

#include "addon/cluster_core.h"

namespace pgdata {

// verifyHeapPage(relation | undefined, page, block, bounds): complaints
Napi::Value verify_heap_page_of(const Napi::CallbackInfo& info);

// NativeCluster.verifyIndex(relation, index, heapItems, itemsPerPage): report
Napi::Value verify_index_of(const Napi::CallbackInfo& info, ClusterCore& core);

}  // namespace pgdata
