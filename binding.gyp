# Builds what ships: build/Release/pgdata.node, and through prebuildify the files in prebuilds/.
# The list of sources is native/sources.txt, shared with CMakeLists.txt.
{
  'targets': [
    {
      'target_name': 'pgdata',
      'sources': ['<!@(node scripts/native-sources.cjs)'],
      'include_dirs': [
        'native',
        "<!(node -p \"require('node-addon-api').include_dir\")",
      ],
      'defines': [
        'NAPI_VERSION=8',
        'NODE_ADDON_API_DISABLE_DEPRECATED',
        'NAPI_DISABLE_CPP_EXCEPTIONS',
        '_FILE_OFFSET_BITS=64',
        "PGDATA_VERSION=\"<!(node -p \"require('./package.json').version\")\"",
      ],
      # INVARIANT throws the one exception of this code base, so exceptions are on.
      'cflags_cc!': ['-fno-exceptions', '-std=gnu++17', '-std=gnu++20', '-O2'],
      'cflags!': ['-O2', '-fno-omit-frame-pointer'],
      'cflags_cc': [
        '-std=c++20',
        '-fexceptions',
        '-fno-rtti',
        '-fvisibility=hidden',
        '-fvisibility-inlines-hidden',
        '-Wall',
        '-Wextra',
      ],
      'configurations': {
        'Release': {
          'cflags_cc': ['-O3'],
        },
      },
      'conditions': [
        [
          'OS=="linux"',
          {
            'defines': ['_GNU_SOURCE'],
            'libraries': ['-lpthread', '-lrt'],
            # The C++ library goes into the binary, hidden, so that an older system's does not matter.
            'ldflags': ['-static-libstdc++', '-static-libgcc', '-Wl,--exclude-libs,ALL'],
          },
        ],
        [
          'OS=="mac"',
          {
            'xcode_settings': {
              'CLANG_CXX_LANGUAGE_STANDARD': 'c++20',
              'CLANG_CXX_LIBRARY': 'libc++',
              'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
              'GCC_ENABLE_CPP_RTTI': 'NO',
              'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
              'GCC_OPTIMIZATION_LEVEL': '3',
              'MACOSX_DEPLOYMENT_TARGET': '11.0',
            },
          },
        ],
      ],
    },
  ],
}
