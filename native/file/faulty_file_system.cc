// FaultyFileSystem: files and directories as their lasting state and the changes since.
#include "file/faulty_file_system.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/invariant.h"

namespace pgdata {

namespace {

constexpr int links_max = 40;
constexpr int tree_depth_max = 64;

// A change of a file that was not synced. A cut sets the size; a write may grow it.
struct FileChange {
  bool is_cut = false;
  uint64_t offset = 0;  // of a cut: the new size
  std::string bytes;
  bool lasts = false;    // made through a dsync file
  bool is_lost = false;  // a sync of it failed, and no later one brings it back
};

void apply_bytes(std::string& contents, uint64_t offset, const char* bytes, uint64_t size) {
  if (size == 0) return;
  if (contents.size() < offset + size) contents.resize(offset + size, '\0');
  std::memcpy(contents.data() + offset, bytes, size);
}

void replay(std::string& contents, const FileChange& change) {
  if (change.is_cut) {
    contents.resize(change.offset, '\0');
  } else {
    apply_bytes(contents, change.offset, change.bytes.data(), change.bytes.size());
  }
}

// Each sector of a write survives or not, on its own.
void apply_torn(std::string& contents, const FileChange& change, uint64_t sector_bytes,
                std::mt19937_64& random) {
  const uint64_t end = change.offset + change.bytes.size();
  for (uint64_t at = change.offset; at < end;) {
    const uint64_t sector_end = std::min(end, (at / sector_bytes + 1) * sector_bytes);
    if (random() % 2 == 0)
      apply_bytes(contents, at, change.bytes.data() + (at - change.offset), sector_end - at);
    at = sector_end;
  }
}

}  // namespace

struct FaultyFileSystem::Node {
  explicit Node(FileKind node_kind) : kind(node_kind) {}

  struct EntryChange {
    std::string name;
    NodeRef node;          // none: the entry was removed
    std::string old_name;  // of a rename within the directory: removed in the same instant
  };

  FileKind kind;
  // Regular files: now, at the last sync, and the changes between the two.
  std::string contents;
  std::string lasting_contents;
  std::vector<FileChange> changes;
  size_t losable_changes = 0;  // of them, those that a crash can lose
  // Directories, likewise.
  std::map<std::string, NodeRef> entries;
  std::map<std::string, NodeRef> lasting_entries;
  std::vector<EntryChange> entry_changes;
  // Symbolic links.
  std::string target;

  void change(FileChange change) {
    replay(contents, change);
    if (!change.lasts) losable_changes++;
    changes.push_back(std::move(change));
    if (losable_changes == 0) sync_file();
  }

  void sync_file() {
    for (const FileChange& change : changes)
      if (!change.is_lost) replay(lasting_contents, change);
    changes.clear();
    losable_changes = 0;
  }

  void lose_changes() {
    for (FileChange& change : changes) change.is_lost = !change.lasts;
  }

  static void apply_entry(std::map<std::string, NodeRef>& entries, const EntryChange& change) {
    if (!change.old_name.empty()) entries.erase(change.old_name);
    if (change.node == nullptr) {
      entries.erase(change.name);
    } else {
      entries[change.name] = change.node;
    }
  }

  void change_entry(EntryChange change) {
    apply_entry(entries, change);
    entry_changes.push_back(std::move(change));
  }

  void sync_entries() {
    for (const EntryChange& change : entry_changes) apply_entry(lasting_entries, change);
    entry_changes.clear();
  }
};

class FaultyFile final : public File {
 public:
  FaultyFile(FaultyFileSystem& files, FaultyFileSystem::NodeRef node, std::string path,
             OpenFlags flags)
      : files_(files),
        node_(std::move(node)),
        path_(std::move(path)),
        flags_(flags),
        life_(files.life_) {}

  Status read(void* bytes, size_t size, uint64_t offset, size_t* done) override {
    const IoSlice slice{static_cast<std::byte*>(bytes), size};
    return read_vector(&slice, 1, offset, done);
  }

  Status write(const void* bytes, size_t size, uint64_t offset) override {
    const IoSlice slice{const_cast<std::byte*>(static_cast<const std::byte*>(bytes)), size};
    return write_vector(&slice, 1, offset);
  }

  Status read_vector(const IoSlice* slices, int count, uint64_t offset, size_t* done) override {
    const std::lock_guard guard(files_.mutex_);
    *done = 0;
    RETURN_IF_ERROR(begin(OperationKind::read, offset, total(slices, count)));
    RETURN_IF_ERROR(check_aligned(slices, count, offset));
    const std::string& contents = node_->contents;
    for (int i = 0; i < count && offset < contents.size(); i++) {
      const size_t step = std::min<size_t>(slices[i].size, contents.size() - offset);
      if (step != 0) std::memcpy(slices[i].bytes, contents.data() + offset, step);
      offset += step;
      *done += step;
    }
    return Status::ok;
  }

  Status write_vector(const IoSlice* slices, int count, uint64_t offset) override {
    const std::lock_guard guard(files_.mutex_);
    INVARIANT(has(flags_, OpenFlags::read_write));
    bool is_short = false;
    RETURN_IF_ERROR(begin(OperationKind::write, offset, total(slices, count), &is_short));
    RETURN_IF_ERROR(check_aligned(slices, count, offset));
    FileChange change;
    change.offset = offset;
    change.lasts = has(flags_, OpenFlags::dsync);
    for (int i = 0; i < count; i++)
      change.bytes.append(reinterpret_cast<const char*>(slices[i].bytes), slices[i].size);
    if (is_short) change.bytes.resize(change.bytes.size() / 2);
    node_->change(std::move(change));
    if (is_short) return failed(ENOSPC, "write");
    return Status::ok;
  }

  Status sync() override {
    const std::lock_guard guard(files_.mutex_);
    Status status = begin(OperationKind::sync, 0, 0);
    if (!status.is_ok()) {
      // The kernel takes pages that it could not write for clean.
      if (is_alive()) node_->lose_changes();
      return status;
    }
    node_->sync_file();
    return status;
  }

  Status data_sync() override { return sync(); }

  Status truncate(uint64_t size) override {
    const std::lock_guard guard(files_.mutex_);
    INVARIANT(has(flags_, OpenFlags::read_write));
    RETURN_IF_ERROR(begin(OperationKind::truncate, size, 0));
    FileChange change;
    change.is_cut = true;
    change.offset = size;
    node_->change(std::move(change));
    return Status::ok;
  }

  Status allocate(uint64_t offset, uint64_t size) override {
    const std::lock_guard guard(files_.mutex_);
    INVARIANT(has(flags_, OpenFlags::read_write));
    RETURN_IF_ERROR(begin(OperationKind::allocate, offset, size));
    if (node_->contents.size() >= offset + size) return Status::ok;
    FileChange change;
    change.is_cut = true;
    change.offset = offset + size;
    node_->change(std::move(change));
    return Status::ok;
  }

  Status size(uint64_t* bytes) override {
    const std::lock_guard guard(files_.mutex_);
    RETURN_IF_ERROR(begin(OperationKind::look_up, 0, 0));
    *bytes = node_->contents.size();
    return Status::ok;
  }

  void prefetch(uint64_t, uint64_t) override {}
  void start_write_back(uint64_t, uint64_t) override {}

 private:
  static uint64_t total(const IoSlice* slices, int count) {
    uint64_t bytes = 0;
    for (int i = 0; i < count; i++) bytes += slices[i].size;
    return bytes;
  }

  bool is_alive() const { return life_ == files_.life_; }

  Status failed(int error_number, const char* what) const {
    return Status::os_error(error_number, "could not %s file \"%s\"", what, path_.c_str());
  }

  Status begin(OperationKind kind, uint64_t offset, uint64_t size, bool* is_short = nullptr) {
    if (!is_alive()) return failed(EIO, "use");
    return files_.begin(kind, path_, offset, size, is_short);
  }

  Status check_aligned(const IoSlice* slices, int count, uint64_t offset) const {
    if (!has(flags_, OpenFlags::direct)) return Status::ok;
    bool is_aligned = offset % direct_io_alignment == 0;
    for (int i = 0; i < count; i++) {
      is_aligned = is_aligned && slices[i].size % direct_io_alignment == 0 &&
                   reinterpret_cast<uintptr_t>(slices[i].bytes) % direct_io_alignment == 0;
    }
    return is_aligned ? Status() : failed(EINVAL, "use unaligned memory or offsets with");
  }

  FaultyFileSystem& files_;
  const FaultyFileSystem::NodeRef node_;
  const std::string path_;
  const OpenFlags flags_;
  const uint64_t life_;
};

FaultyFileSystem::FaultyFileSystem() : root_(std::make_shared<Node>(FileKind::directory)) {}

FaultyFileSystem::~FaultyFileSystem() = default;

void FaultyFileSystem::fail(uint64_t step, Fault fault) {
  const std::lock_guard guard(mutex_);
  plan_.fail(step, fault);
}

void FaultyFileSystem::fail(FaultRule rule) {
  const std::lock_guard guard(mutex_);
  plan_.add(std::move(rule));
}

void FaultyFileSystem::clear_faults() {
  const std::lock_guard guard(mutex_);
  plan_.clear();
}

uint64_t FaultyFileSystem::step() const {
  const std::lock_guard guard(mutex_);
  return plan_.step();
}

std::vector<Operation> FaultyFileSystem::operations() const {
  const std::lock_guard guard(mutex_);
  return operations_;
}

Status FaultyFileSystem::begin(OperationKind kind, const std::string& path, uint64_t offset,
                               uint64_t size, bool* is_short) {
  operations_.push_back(Operation{kind, path, offset, size});
  FaultPlan::Outcome outcome = plan_.meet(operations_.back());
  if (outcome.delay_ms > 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(outcome.delay_ms));
  if (is_short != nullptr) *is_short = outcome.is_short;
  return std::move(outcome.status);
}

// Follows symbolic links in the path, and at its end when `follow_last`.
Status FaultyFileSystem::find(const std::string& path, bool follow_last, Place* place) const {
  std::vector<std::string> names;  // what is still to walk, in reverse
  const auto push_names = [&names](const std::string& text) {
    const size_t bottom = names.size();
    for (size_t start = 0; start < text.size();) {
      const size_t end = std::min(text.find('/', start), text.size());
      if (end > start) names.push_back(text.substr(start, end - start));
      start = end + 1;
    }
    std::reverse(names.begin() + static_cast<std::ptrdiff_t>(bottom), names.end());
  };
  push_names(path);
  std::vector<NodeRef> walked{root_};
  int links = 0;
  *place = Place{root_, "", root_};
  while (!names.empty()) {
    const std::string name = names.back();
    names.pop_back();
    if (name == ".") continue;
    if (name == "..") {
      if (walked.size() > 1) walked.pop_back();
      *place = Place{walked.back(), "", walked.back()};
      continue;
    }
    const NodeRef directory = walked.back();
    if (directory->kind != FileKind::directory)
      return Status::os_error(ENOTDIR, "could not find \"%s\"", path.c_str());
    const auto entry = directory->entries.find(name);
    const NodeRef node = entry == directory->entries.end() ? nullptr : entry->second;
    *place = Place{directory, name, node};
    if (node == nullptr) {
      if (names.empty()) return Status::ok;
      return Status::os_error(ENOENT, "could not find \"%s\"", path.c_str());
    }
    if (node->kind == FileKind::symbolic_link && (follow_last || !names.empty())) {
      if (++links > links_max)
        return Status::os_error(ELOOP, "could not find \"%s\"", path.c_str());
      if (node->target.starts_with('/')) walked.resize(1);
      push_names(node->target);
      continue;
    }
    walked.push_back(node);
  }
  return Status::ok;
}

Status FaultyFileSystem::open(const std::string& path, OpenFlags flags,
                              std::unique_ptr<File>* file) {
  const std::lock_guard guard(mutex_);
  Place place;
  Status found = find(path, true, &place);
  const bool creates = has(flags, OpenFlags::create) && found.is_ok() && place.node == nullptr;
  RETURN_IF_ERROR(begin(creates ? OperationKind::create : OperationKind::open, path, 0, 0));
  RETURN_IF_ERROR(std::move(found));
  if (place.node == nullptr) {
    if (!creates) return Status::os_error(ENOENT, "could not open file \"%s\"", path.c_str());
    place.node = std::make_shared<Node>(FileKind::regular);
    place.directory->change_entry({place.name, place.node, ""});
  } else if (has(flags, OpenFlags::create) && has(flags, OpenFlags::exclusive)) {
    return Status::os_error(EEXIST, "could not create file \"%s\"", path.c_str());
  }
  if (place.node->kind != FileKind::regular)
    return Status::os_error(EISDIR, "could not open file \"%s\"", path.c_str());
  *file = std::make_unique<FaultyFile>(*this, place.node, path, flags);
  return Status::ok;
}

Status FaultyFileSystem::info(const std::string& path, FileInfo* info) {
  const std::lock_guard guard(mutex_);
  RETURN_IF_ERROR(begin(OperationKind::look_up, path, 0, 0));
  *info = FileInfo();
  Place place;
  if (!find(path, false, &place).is_ok() || place.node == nullptr) return Status::ok;
  info->kind = place.node->kind;
  info->size_bytes = place.node->contents.size();
  info->mode = place.node->kind == FileKind::directory ? 0700 : 0600;
  return Status::ok;
}

Status FaultyFileSystem::make_directory(const std::string& path) {
  const std::lock_guard guard(mutex_);
  RETURN_IF_ERROR(begin(OperationKind::make_directory, path, 0, 0));
  Place place;
  RETURN_IF_ERROR(find(path, false, &place));
  if (place.node != nullptr)
    return Status::os_error(EEXIST, "could not create directory \"%s\"", path.c_str());
  place.directory->change_entry({place.name, std::make_shared<Node>(FileKind::directory), ""});
  return Status::ok;
}

Status FaultyFileSystem::remove_file(const std::string& path) {
  const std::lock_guard guard(mutex_);
  RETURN_IF_ERROR(begin(OperationKind::remove_file, path, 0, 0));
  Place place;
  RETURN_IF_ERROR(find(path, false, &place));
  if (place.node == nullptr)
    return Status::os_error(ENOENT, "could not remove file \"%s\"", path.c_str());
  if (place.node->kind == FileKind::directory)
    return Status::os_error(EISDIR, "could not remove file \"%s\"", path.c_str());
  place.directory->change_entry({place.name, nullptr, ""});
  return Status::ok;
}

Status FaultyFileSystem::remove_directory(const std::string& path) {
  const std::lock_guard guard(mutex_);
  RETURN_IF_ERROR(begin(OperationKind::remove_directory, path, 0, 0));
  Place place;
  RETURN_IF_ERROR(find(path, false, &place));
  const char* const format = "could not remove directory \"%s\"";
  if (place.node == nullptr) return Status::os_error(ENOENT, format, path.c_str());
  if (place.node->kind != FileKind::directory)
    return Status::os_error(ENOTDIR, format, path.c_str());
  if (!place.node->entries.empty()) return Status::os_error(ENOTEMPTY, format, path.c_str());
  place.directory->change_entry({place.name, nullptr, ""});
  return Status::ok;
}

Status FaultyFileSystem::rename(const std::string& from, const std::string& to) {
  const std::lock_guard guard(mutex_);
  RETURN_IF_ERROR(begin(OperationKind::rename, from, 0, 0));
  Place source;
  Place target;
  RETURN_IF_ERROR(find(from, false, &source));
  RETURN_IF_ERROR(find(to, false, &target));
  const auto failed = [&](int error_number) {
    return Status::os_error(error_number, "could not rename file \"%s\" to \"%s\"", from.c_str(),
                            to.c_str());
  };
  if (source.node == nullptr) return failed(ENOENT);
  if (target.node == source.node) return Status::ok;
  const bool moves_directory = source.node->kind == FileKind::directory;
  if (target.node != nullptr && target.node->kind == FileKind::directory) {
    if (!moves_directory) return failed(EISDIR);
    if (!target.node->entries.empty()) return failed(ENOTEMPTY);
  } else if (target.node != nullptr && moves_directory) {
    return failed(ENOTDIR);
  }
  if (source.directory == target.directory) {
    target.directory->change_entry({target.name, source.node, source.name});
  } else {
    target.directory->change_entry({target.name, source.node, ""});
    source.directory->change_entry({source.name, nullptr, ""});
  }
  return Status::ok;
}

Status FaultyFileSystem::link_symbolic(const std::string& target, const std::string& path) {
  const std::lock_guard guard(mutex_);
  RETURN_IF_ERROR(begin(OperationKind::link_symbolic, path, 0, 0));
  Place place;
  RETURN_IF_ERROR(find(path, false, &place));
  if (place.node != nullptr)
    return Status::os_error(EEXIST, "could not create symbolic link \"%s\"", path.c_str());
  const auto node = std::make_shared<Node>(FileKind::symbolic_link);
  node->target = target;
  place.directory->change_entry({place.name, node, ""});
  return Status::ok;
}

Status FaultyFileSystem::read_link(const std::string& path, std::string* target) {
  const std::lock_guard guard(mutex_);
  RETURN_IF_ERROR(begin(OperationKind::look_up, path, 0, 0));
  Place place;
  RETURN_IF_ERROR(find(path, false, &place));
  const char* const format = "could not read symbolic link \"%s\"";
  if (place.node == nullptr) return Status::os_error(ENOENT, format, path.c_str());
  if (place.node->kind != FileKind::symbolic_link)
    return Status::os_error(EINVAL, format, path.c_str());
  *target = place.node->target;
  return Status::ok;
}

Status FaultyFileSystem::list(const std::string& path, std::vector<std::string>* names) {
  const std::lock_guard guard(mutex_);
  RETURN_IF_ERROR(begin(OperationKind::look_up, path, 0, 0));
  Place place;
  RETURN_IF_ERROR(find(path, true, &place));
  const char* const format = "could not open directory \"%s\"";
  if (place.node == nullptr) return Status::os_error(ENOENT, format, path.c_str());
  if (place.node->kind != FileKind::directory)
    return Status::os_error(ENOTDIR, format, path.c_str());
  names->clear();
  for (const auto& [name, node] : place.node->entries) names->push_back(name);
  return Status::ok;
}

Status FaultyFileSystem::sync_directory(const std::string& path) {
  const std::lock_guard guard(mutex_);
  RETURN_IF_ERROR(begin(OperationKind::sync_directory, path, 0, 0));
  Place place;
  RETURN_IF_ERROR(find(path, true, &place));
  const char* const format = "could not open directory \"%s\"";
  if (place.node == nullptr) return Status::os_error(ENOENT, format, path.c_str());
  if (place.node->kind != FileKind::directory)
    return Status::os_error(ENOTDIR, format, path.c_str());
  place.node->sync_entries();
  return Status::ok;
}

Status FaultyFileSystem::sync_file_system(const std::string& path) {
  const std::lock_guard guard(mutex_);
  RETURN_IF_ERROR(begin(OperationKind::sync_file_system, path, 0, 0));
  std::vector<NodeRef> nodes{root_};
  while (!nodes.empty()) {
    const NodeRef node = nodes.back();
    nodes.pop_back();
    node->sync_file();
    node->sync_entries();
    for (const auto& [name, child] : node->entries) nodes.push_back(child);
  }
  return Status::ok;
}

// What is left of `node` after a power failure. A file with two names stays one.
FaultyFileSystem::NodeRef FaultyFileSystem::survivor(const NodeRef& node, Survival survival,
                                                     uint64_t sector_bytes, std::mt19937_64& random,
                                                     std::map<const Node*, NodeRef>& done) const {
  NodeRef& copy = done[node.get()];
  if (copy != nullptr) return copy;
  copy = std::make_shared<Node>(node->kind);
  const NodeRef result = copy;  // `copy` may move when `done` grows.
  result->target = node->target;
  result->contents = node->lasting_contents;
  for (const FileChange& change : node->changes) {
    if (change.lasts || survival == Survival::everything) {
      replay(result->contents, change);
    } else if (survival == Survival::random) {
      if (change.is_cut) {
        if (random() % 2 == 0) replay(result->contents, change);
      } else {
        apply_torn(result->contents, change, sector_bytes, random);
      }
    }
  }
  result->lasting_contents = result->contents;

  std::map<std::string, NodeRef> entries = node->lasting_entries;
  size_t kept = 0;
  if (survival == Survival::everything) kept = node->entry_changes.size();
  if (survival == Survival::random) kept = random() % (node->entry_changes.size() + 1);
  for (size_t i = 0; i < kept; i++) Node::apply_entry(entries, node->entry_changes[i]);
  for (const auto& [name, child] : entries)
    result->entries[name] = survivor(child, survival, sector_bytes, random, done);
  result->lasting_entries = result->entries;
  return result;
}

void FaultyFileSystem::crash(Survival survival, uint64_t seed, uint64_t sector_bytes) {
  const std::lock_guard guard(mutex_);
  std::mt19937_64 random(seed);
  std::map<const Node*, NodeRef> done;
  root_ = survivor(root_, survival, sector_bytes, random, done);
  plan_.restart();
  life_++;
}

namespace {

Status copy_file(FileSystem& from_files, const std::string& from, FileSystem& to_files,
                 const std::string& to) {
  std::string contents;
  RETURN_IF_ERROR(read_whole_file(from_files, from, &contents));
  std::unique_ptr<File> file;
  RETURN_IF_ERROR(
      to_files.open(to, OpenFlags::read_write | OpenFlags::create | OpenFlags::exclusive, &file));
  return file->write(contents.data(), contents.size(), 0);
}

Status copy_level(FileSystem& from_files, const std::string& from, FileSystem& to_files,
                  const std::string& to, int depth_left) {
  FileInfo info;
  RETURN_IF_ERROR(from_files.info(from, &info));
  if (info.kind == FileKind::regular) return copy_file(from_files, from, to_files, to);
  if (info.kind == FileKind::symbolic_link) {
    std::string target;
    RETURN_IF_ERROR(from_files.read_link(from, &target));
    return to_files.link_symbolic(target, to);
  }
  if (info.kind != FileKind::directory)
    return Status::error(ErrorCode::undefined_file, "there is nothing to copy at \"%s\"",
                         from.c_str());
  if (depth_left == 0)
    return Status::error(ErrorCode::system_error, "directory \"%s\" is nested too deeply",
                         from.c_str());
  RETURN_IF_ERROR(to_files.make_directory(to));
  std::vector<std::string> names;
  RETURN_IF_ERROR(from_files.list(from, &names));
  for (const std::string& name : names)
    RETURN_IF_ERROR(
        copy_level(from_files, from + "/" + name, to_files, to + "/" + name, depth_left - 1));
  return Status::ok;
}

}  // namespace

Status copy_tree(FileSystem& from_files, const std::string& from, FileSystem& to_files,
                 const std::string& to) {
  return copy_level(from_files, from, to_files, to, tree_depth_max);
}

}  // namespace pgdata
