// The entry of the addon: what JavaScript sees when it loads pgdata.node.
#include <napi.h>

namespace pgdata {
namespace {

// The version of the package that this binary was built for. No errors.
Napi::Value version(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), PGDATA_VERSION);
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  exports.Set("version", Napi::Function::New(env, version, "version"));
  return exports;
}

}  // namespace
}  // namespace pgdata

static Napi::Object initialise_pgdata(Napi::Env env, Napi::Object exports) {
  return pgdata::initialise(env, exports);
}

NODE_API_MODULE(pgdata, initialise_pgdata)
