# Comments of the client library's parts, which nobody needs who only uses it.
/^ *\/\*.*\*\/ *$/d
/^ *\/\*/,/\*\/ *$/d
s, // [^'"`]*$,,
/^ *$/d
