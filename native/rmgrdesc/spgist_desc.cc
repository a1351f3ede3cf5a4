// Descriptions of the resource manager SPGist. Source: src/backend/access/rmgrdesc/spgdesc.c, PostgreSQL 18.
#include "layout/spgist_records.h"
#include "rmgrdesc/description.h"

namespace pgdata {

bool describe_spgist(Description& d) {
  switch (d.info()) {
    case XLOG_SPGIST_ADD_LEAF: {
      spgxlogAddLeaf add;
      if (!d.main(&add)) return false;
      d.print("off: %u, headoff: %u, parentoff: %u, nodeI: %u", add.offnumLeaf, add.offnumHeadLeaf,
              add.offnumParent, add.nodeI);
      if (add.newPage != 0) d.append(" (newpage)");
      if (add.storesNulls != 0) d.append(" (nulls)");
      return true;
    }
    case XLOG_SPGIST_MOVE_LEAFS: {
      spgxlogMoveLeafs move;
      if (!d.main(&move)) return false;
      d.print("nmoves: %u, parentoff: %u, nodeI: %u", move.nMoves, move.offnumParent, move.nodeI);
      if (move.newPage != 0) d.append(" (newpage)");
      if (move.replaceDead != 0) d.append(" (replacedead)");
      if (move.storesNulls != 0) d.append(" (nulls)");
      return true;
    }
    case XLOG_SPGIST_ADD_NODE: {
      spgxlogAddNode add;
      if (!d.main(&add)) return false;
      d.print("off: %u, newoff: %u, parentBlk: %d, parentoff: %u, nodeI: %u", add.offnum,
              add.offnumNew, add.parentBlk, add.offnumParent, add.nodeI);
      if (add.newPage != 0) d.append(" (newpage)");
      return true;
    }
    case XLOG_SPGIST_SPLIT_TUPLE: {
      spgxlogSplitTuple split;
      if (!d.main(&split)) return false;
      d.print("prefixoff: %u, postfixoff: %u", split.offnumPrefix, split.offnumPostfix);
      if (split.newPage != 0) d.append(" (newpage)");
      if (split.postfixBlkSame != 0) d.append(" (same)");
      return true;
    }
    case XLOG_SPGIST_PICKSPLIT: {
      spgxlogPickSplit split;
      if (!d.main(&split)) return false;
      d.print("ndelete: %u, ninsert: %u, inneroff: %u, parentoff: %u, nodeI: %u", split.nDelete,
              split.nInsert, split.offnumInner, split.offnumParent, split.nodeI);
      if (split.innerIsParent != 0) d.append(" (innerIsParent)");
      if (split.storesNulls != 0) d.append(" (nulls)");
      if (split.isRootSplit != 0) d.append(" (isRootSplit)");
      return true;
    }
    case XLOG_SPGIST_VACUUM_LEAF: {
      spgxlogVacuumLeaf vacuum;
      if (!d.main(&vacuum)) return false;
      d.print("ndead: %u, nplaceholder: %u, nmove: %u, nchain: %u", vacuum.nDead,
              vacuum.nPlaceholder, vacuum.nMove, vacuum.nChain);
      return true;
    }
    case XLOG_SPGIST_VACUUM_ROOT: {
      spgxlogVacuumRoot vacuum;
      if (!d.main(&vacuum)) return false;
      d.print("ndelete: %u", vacuum.nDelete);
      return true;
    }
    case XLOG_SPGIST_VACUUM_REDIRECT: {
      spgxlogVacuumRedirect vacuum;
      if (!d.main(&vacuum, spgxlogVacuumRedirect_size)) return false;
      d.print(
          "ntoplaceholder: %u, firstplaceholder: %u, snapshotConflictHorizon: %u, isCatalogRel: %c",
          vacuum.nToPlaceholder, vacuum.firstPlaceholder, value_of(vacuum.snapshotConflictHorizon),
          vacuum.isCatalogRel != 0 ? 'T' : 'F');
      return true;
    }
    default:
      return true;
  }
}

}  // namespace pgdata
