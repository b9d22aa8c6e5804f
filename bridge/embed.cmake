# Writes the files of FILES (a list) as C arrays into OUT: the table that www_files.h declares.
set(types_html "text/html; charset=utf-8")
set(types_js "text/javascript; charset=utf-8")
set(types_css "text/css; charset=utf-8")
set(types_svg "image/svg+xml")
set(types_json "application/json")
set(types_png "image/png")
set(types_ico "image/x-icon")

set(arrays "")
set(rows "")
set(count 0)
foreach(file IN LISTS FILES)
    get_filename_component(name "${file}" NAME)
    get_filename_component(ext "${file}" LAST_EXT)
    string(REGEX REPLACE "^\\." "" ext "${ext}")
    if(NOT DEFINED types_${ext})
        message(FATAL_ERROR "${name}: no content type is known for .${ext}; add it to embed.cmake")
    endif()
    file(READ "${file}" hex HEX)
    string(LENGTH "${hex}" digits)
    math(EXPR len "${digits} / 2")
    string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    # The added zero keeps an empty file a valid array; it does not count.
    string(APPEND arrays "static const unsigned char file_${count}[] = {\n${bytes}0};\n")
    string(APPEND rows "    {\"${name}\", \"${types_${ext}}\", file_${count}, ${len}},\n")
    math(EXPR count "${count} + 1")
endforeach()

file(WRITE "${OUT}" "#include \"requests/www_files.h\"\n\n${arrays}
const struct www_file www_files[] = {\n${rows}    {0},\n};
const size_t www_file_count = ${count};\n")
