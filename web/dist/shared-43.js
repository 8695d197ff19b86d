var t=["solid","dashed","dotted"],d={solid:"",dashed:"8 6",dotted:"1 6"},o=s=>d[s]??"";export{t as a,o as b};
