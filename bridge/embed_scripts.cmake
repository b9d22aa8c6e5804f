# Writes the scripts of FILES (a list, in the order of their names) as C strings into OUT, each with
# COMMON in front and without comments: the table that clients/poll_scripts.h declares.
file(READ "${COMMON}" common)
set(rows "")
foreach(file IN LISTS FILES)
    get_filename_component(name "${file}" NAME_WE)
    file(READ "${file}" text)
    string(PREPEND text "\n${common}")
    string(REGEX REPLACE "\n[ ]*--[^\n]*" "" text "${text}")
    string(REGEX REPLACE " +--[^\n]*" "" text "${text}")
    string(REGEX REPLACE "^\n+" "" text "${text}")
    string(REGEX REPLACE "\n\n+" "\n" text "${text}")
    string(SHA1 sha1 "${text}")
    string(REPLACE "\\" "\\\\" text "${text}")
    string(REPLACE "\"" "\\\"" text "${text}")
    string(REPLACE "\n" "\\n\"\n     \"" text "${text}")
    string(APPEND rows "    {\"${name}\", NOTIFY_STR_INIT(\"${sha1}\"),\n     NOTIFY_STR_INIT(\"${text}\")},\n")
endforeach()

file(WRITE "${OUT}" "#include \"clients/poll_scripts.h\"\n
const struct poll_script_text poll_scripts[POLL_SCRIPTS] = {\n${rows}};\n")
