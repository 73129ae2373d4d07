# Libraries, by what needs them.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson>=2.13)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.40)
pkg_check_modules(KISSFFT REQUIRED IMPORTED_TARGET kissfft-float)
pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd>=0.9.75)
pkg_check_modules(LIBMD REQUIRED IMPORTED_TARGET libmd)
pkg_check_modules(FLAC REQUIRED IMPORTED_TARGET flac>=1.4)
pkg_check_modules(MP3LAME REQUIRED IMPORTED_TARGET lame>=3.100)
pkg_check_modules(OGG REQUIRED IMPORTED_TARGET ogg)
pkg_check_modules(OPUSENC REQUIRED IMPORTED_TARGET libopusenc>=0.2.1)
pkg_check_modules(SOXR REQUIRED IMPORTED_TARGET soxr>=0.1.3)
# The helper program alone links espeak-ng: it is GPL-3, and its state and its crashes stay out of the server.
option(KK_ESPEAK "Build the helper kokoro-espeak" ON)
if(KK_ESPEAK)
    pkg_check_modules(ESPEAK IMPORTED_TARGET espeak-ng)
endif()

add_library(kk_library_deps INTERFACE)
target_link_libraries(kk_library_deps INTERFACE
    PkgConfig::JANSSON PkgConfig::UTF8PROC Threads::Threads ${CMAKE_DL_LIBS} m)
add_library(kk_program_deps INTERFACE)
target_link_libraries(kk_program_deps INTERFACE
    PkgConfig::MICROHTTPD PkgConfig::LIBMD PkgConfig::SQLITE PkgConfig::KISSFFT
    PkgConfig::FLAC PkgConfig::MP3LAME PkgConfig::OGG PkgConfig::OPUSENC PkgConfig::SOXR)
