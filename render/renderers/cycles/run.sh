# Blender talks on standard output; what is meant for Seedstorm goes by another way.
exec 3>&1 1>&2
exec blender -b --factory-startup --disable-autoexec -noaudio --python-exit-code 1 -P main.py
